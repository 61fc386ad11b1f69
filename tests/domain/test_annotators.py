"""Annotators' slopes and leans: what must not change them, what they recover, and that they predict real votes."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytest

from backend.domain import annotators, elo
from backend.domain.annotators import AnnotatorsFit, enough, evidence, fit_annotators, fit_given
from backend.domain.bradley_terry import chance, fit_groups
from backend.domain.signs import of_slope
from backend.errors import Invalid
from tests.domain.real_data import votes as real_votes


class Crowd(NamedTuple):
    """Votes of a simulated crowd on prompts of four completions, and the truth behind them."""

    group_of: np.ndarray
    left: np.ndarray
    right: np.ndarray
    score: np.ndarray
    annotator: np.ndarray
    utility: np.ndarray
    slope: np.ndarray
    lean: np.ndarray

    def fit(self, weight: np.ndarray | None = None, order: np.ndarray | None = None) -> AnnotatorsFit:
        _, *columns = self.columns
        left, right, score, annotator = columns if order is None else (column[order] for column in columns)
        return fit_annotators(self.group_of, left, right, score, annotator, weight)

    @property
    def columns(self) -> tuple[np.ndarray, ...]:
        return self.group_of, self.left, self.right, self.score, self.annotator


def crowd(seed: int, prompts: int = 600, votes: int = 8, people: int = 40) -> Crowd:
    """70 % careful, 20 % sloppy, 8 % who guess and lean, 2 % contrary; some 15 % of ties between equals."""
    rng = np.random.default_rng(seed)
    utility = rng.normal(0, 1, (prompts, 4))
    kind = rng.choice(4, people, p=[0.70, 0.20, 0.08, 0.02])
    slope = np.choose(kind, [rng.normal(1.7, 0.3, people), rng.normal(0.6, 0.2, people), 0.0, -1.0])
    lean = np.where(kind == 2, rng.normal(1.2, 0.6, people), rng.normal(0.3, 0.3, people))
    pairs = np.array([(a, b) for a in range(4) for b in range(a)])
    prompt = np.repeat(np.arange(prompts), votes)
    # Every pair once before any comes again, sides at random.
    turns = [np.argsort(rng.random((prompts, 6)), axis=1) for _ in range(-(-votes // 6))]
    shown = pairs[np.concatenate(turns, axis=1)[:, :votes].ravel()]
    shown = np.where(rng.random((len(prompt), 1)) < 0.5, shown, shown[:, ::-1])
    annotator = rng.integers(0, people, len(prompt))
    seen = slope[annotator] * (utility[prompt, shown[:, 0]] - utility[prompt, shown[:, 1]]) + lean[annotator]
    p = chance(seen)
    tie = rng.random(len(prompt)) < 0.6 * p * (1 - p)
    score = np.where(tie, 0.5, (rng.random(len(prompt)) < p).astype(float))
    left, right = prompt * 4 + shown[:, 0], prompt * 4 + shown[:, 1]
    return Crowd(np.repeat(np.arange(prompts), 4), left, right, score, annotator, utility, slope, lean)


def spearman(found: np.ndarray, truth: np.ndarray) -> float:
    """Mean over prompts of the rank correlation, equal values sharing their mean rank."""

    def ranked(values: np.ndarray) -> np.ndarray:
        values = np.round(values, 9)[..., None].astype(float)
        below = (values > values.transpose(0, 2, 1)).sum(axis=2)
        equal = (values == values.transpose(0, 2, 1)).sum(axis=2)
        ranks = below + (equal - 1) / 2
        centred: np.ndarray = ranks - ranks.mean(axis=1, keepdims=True)
        return centred

    a, b = ranked(found.reshape(truth.shape)), ranked(truth)
    length = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return float(np.divide((a * b).sum(axis=1), length, out=np.zeros(len(a)), where=length > 0).mean())


def live_elo(world: Crowd) -> np.ndarray:
    ratings = elo.rate(zip(world.left.tolist(), world.right.tolist(), world.score.tolist(), strict=True), 32.0)
    return np.array([ratings.get(item, elo.START) for item in range(len(world.group_of))])


def test_a_noisy_crowd_is_seen_through() -> None:
    """More truth from the same votes, on several worlds: what plain ratings need a quarter more for."""
    plain, modelled, live = [], [], []
    for seed in (1, 2, 3):
        world = crowd(seed, prompts=900)
        fit = world.fit()
        modelled.append(spearman(fit.ratings.log_odds, world.utility))
        plain.append(spearman(fit_groups(*world.columns[:4]).log_odds, world.utility))
        live.append(spearman(live_elo(world), world.utility))
        assert np.corrcoef(fit.slope, world.slope)[0, 1] > 0.8
        assert np.corrcoef(fit.lean, world.lean)[0, 1] > 0.75
    assert np.mean(modelled) > np.mean(plain) + 0.03 > np.mean(live) + 0.03
    more_votes = [spearman(fit_groups(*world.columns[:4]).log_odds, world.utility) for world in
                  (crowd(seed, prompts=900, votes=10) for seed in (1, 2, 3))]  # fmt: skip
    assert np.mean(modelled) > np.mean(more_votes)


def test_who_guesses_and_who_leans_is_told() -> None:
    world = crowd(5, prompts=1500, votes=16, people=40)
    fit = world.fit()
    guessing = world.slope < 0.2
    seen = [
        {sign.name for sign in of_slope(*figures)}
        for figures in zip(fit.slope, fit.slope_error, fit.lean, fit.lean_error, strict=True)
    ]
    blind = np.array([bool(names & {"chance", "contrary"}) for names in seen])
    leaning = np.array(["lean" in names for names in seen])
    assert guessing.any() and blind[guessing].all() and not blind[world.slope > 1.0].any()
    assert leaning[world.lean > 1.7].all() and not leaning[np.abs(world.lean) < 0.8].any()
    inside = np.abs(fit.lean - world.lean) < 2 * fit.lean_error
    assert inside.mean() > 0.75


def same(one: AnnotatorsFit, other: AnnotatorsFit) -> bool:
    return all(
        np.allclose(a, b, atol=1e-6)
        for a, b in (
            (one.slope, other.slope),
            (one.slope_error, other.slope_error),
            (one.lean, other.lean),
            (one.ratings.log_odds, other.ratings.log_odds),
            (one.ratings.standard_deviation, other.ratings.standard_deviation),
        )
    )


def test_order_and_merging_do_not_matter_and_sides_mirror_leans() -> None:
    world = crowd(7, prompts=80, votes=6, people=8)
    fit = world.fit()
    order = np.random.default_rng(0).permutation(len(world.left))
    assert same(fit, world.fit(order=order))
    assert same(world.fit(order=np.repeat(order, 2)), world.fit(np.full(len(world.left), 2.0)))
    kept = np.ones(len(world.left))
    kept[::3] = 0.0
    assert same(world.fit(order=np.flatnonzero(kept)), world.fit(kept))
    mirrored = fit_annotators(world.group_of, world.right, world.left, 1.0 - world.score, world.annotator)
    assert np.allclose(mirrored.lean, -fit.lean, atol=1e-6) and np.allclose(mirrored.slope, fit.slope, atol=1e-6)
    assert np.allclose(mirrored.ratings.log_odds, fit.ratings.log_odds, atol=1e-6)


def test_prompts_of_all_sizes_and_people_without_votes() -> None:
    group_of = np.array([0, 0, 1, 1, 1, 2, 4, 4])
    left, right, score = np.array([0, 2, 3, 6]), np.array([1, 3, 4, 7]), np.array([1.0, 0.5, 0.0, 1.0])
    fit = fit_annotators(group_of, left, right, score, np.array([0, 0, 2, 2]), annotators=4, groups=6)
    assert fit.slope[[1, 3]].tolist() == [1.0, 1.0] and fit.votes.tolist() == [2, 0, 2, 0]
    assert fit.slope_error[1] == pytest.approx(0.5) and fit.lean[1] == pytest.approx(fit.mean_lean)
    assert fit.ratings.log_odds[5] == 0.0 and fit.ratings.votes.tolist() == [1, 1, 1, 2, 1, 0, 1, 1]
    assert fit.ratings.connected.tolist() == [True] * 6
    nothing = fit_annotators(group_of, left[:0], right[:0], score[:0], left[:0], annotators=2)
    assert not nothing.ratings.log_odds.any() and nothing.slope.tolist() == [1.0, 1.0]


def test_what_is_no_vote_is_refused() -> None:
    group_of = np.array([0, 0, 1, 1])
    one = np.array([1.0])
    for left, right, annotator in [([0], [0], [0]), ([0], [2], [0]), ([0], [4], [0]), ([0], [1], [-1]), ([0], [1], [])]:
        with pytest.raises(Invalid):
            fit_annotators(group_of, np.array(left), np.array(right), one, np.array(annotator, dtype=int))


def test_slopes_wait_for_enough_votes() -> None:
    world = crowd(9, prompts=100, votes=4, people=10)
    assert enough(world.group_of, world.left, world.annotator)
    assert not enough(world.group_of, world.left[:250], world.annotator[:250])
    sparse = crowd(9, prompts=600, votes=2, people=10)
    assert not enough(sparse.group_of, sparse.left, sparse.annotator)
    assert not enough(world.group_of, world.left[:0], world.annotator[:0])


def folds() -> Iterator[tuple[tuple[np.ndarray, ...], np.ndarray]]:
    """The real study in five folds, no pair of a prompt on both sides: columns and what is held out."""
    votes = real_votes()
    models = {name: i for i, name in enumerate(sorted({name for vote in votes for name in (vote.left, vote.right)}))}
    people = {name: i for i, name in enumerate(sorted({vote.worker for vote in votes}))}
    unit: dict[tuple[str, str, str], int] = {}
    rng = np.random.default_rng(0)
    fold = np.array([unit.setdefault((vote.prompt, vote.left, vote.right), int(rng.integers(0, 5))) for vote in votes])
    columns = (
        np.array([models[vote.left] for vote in votes]),
        np.array([models[vote.right] for vote in votes]),
        np.array([vote.score for vote in votes]),
        np.array([people[vote.worker] for vote in votes]),
    )
    for number in range(5):
        yield columns, fold == number


def test_people_are_predicted_better_than_by_ratings_alone() -> None:
    """Mean log loss of held-out real votes: about 0.692 knowing nothing, 0.649 by ratings, 0.630 with the people."""
    plain, modelled = [], []
    for (left, right, score, annotator), held_out in folds():
        kept = ~held_out
        group_of = np.zeros(int(max(left.max(), right.max())) + 1, dtype=int)
        rated = fit_groups(group_of, left[kept], right[kept], score[kept]).log_odds
        fit = fit_annotators(
            group_of, left[kept], right[kept], score[kept], annotator[kept], annotators=int(annotator.max()) + 1
        )

        def loss(p: np.ndarray, said: np.ndarray = score[held_out]) -> float:
            return float(-(said * np.log(p) + (1 - said) * np.log(1 - p)).mean())

        plain.append(loss(chance(rated[left] - rated[right])[held_out]))
        seen = fit.ratings.log_odds[left] - fit.ratings.log_odds[right]
        modelled.append(loss(chance(fit.slope[annotator] * seen + fit.lean[annotator])[held_out]))
    assert np.mean(plain) == pytest.approx(0.649, abs=0.003)
    assert np.mean(modelled) == pytest.approx(0.630, abs=0.004)


def test_a_crowd_of_many_who_left_is_enough_when_others_stayed() -> None:
    """The real study: of 124 people the median gave 21 votes, yet half of the votes come from people with 30."""
    for (left, _, _, annotator), _ in folds():
        found = evidence(np.zeros(int(left.max()) + 1, dtype=int), left, annotator)
        assert found.enough and np.median(np.bincount(annotator)) == 21
        break


def test_known_slopes_of_one_and_leans_of_zero_are_the_plain_fit() -> None:
    world = crowd(11, prompts=60, votes=6, people=8)
    plain = fit_groups(*world.columns[:4], prior_deviation=0.8)
    ones, zeros = np.ones(len(world.left)), np.zeros(len(world.left))
    given = fit_given(world.group_of, world.left, world.right, world.score, ones, zeros, prior_deviation=0.8)
    assert np.abs(given.log_odds - plain.log_odds).max() < 1e-9
    assert np.abs(given.standard_deviation - plain.standard_deviation).max() < 1e-9
    assert (given.component == plain.component).all() and (given.votes == plain.votes).all()


def test_known_slopes_bring_ratings_closer_to_the_truth() -> None:
    world = crowd(12, prompts=300)
    plain = fit_groups(*world.columns[:4])
    slope, lean = np.maximum(world.slope, 0.0)[world.annotator], world.lean[world.annotator]
    given = fit_given(world.group_of, world.left, world.right, world.score, slope, lean, prior_deviation=1.0)
    assert spearman(given.log_odds, world.utility) > spearman(plain.log_odds, world.utility) + 0.03
    # Who guesses says nothing: a guess more changes no rating.
    said = (np.r_[world.left, 0], np.r_[world.right, 1], np.r_[world.score, 1.0], np.r_[slope, 0.0], np.r_[lean, 2.0])
    more = fit_given(world.group_of, *said, prior_deviation=1.0)
    assert np.abs(more.log_odds - given.log_odds).max() < 1e-9


@pytest.mark.parametrize("size", [1, 2, 5, 8, 9])
def test_inverses_of_many_tables_at_once(size: int) -> None:
    rng = np.random.default_rng(size)
    roots = rng.normal(size=(9_000, size, size))
    tables = roots @ roots.transpose(0, 2, 1) + 0.1 * np.eye(size)
    before = tables.copy()
    np.testing.assert_allclose(
        annotators._inverse(tables) @ tables, np.broadcast_to(np.eye(size), tables.shape), atol=1e-8
    )
    np.testing.assert_array_equal(tables, before)


def test_the_order_of_votes_does_not_matter() -> None:
    rng = np.random.default_rng(4)
    group_of = np.arange(160) // 4
    left = rng.integers(0, 160, 2_000)
    right = left // 4 * 4 + (left + rng.integers(1, 4, 2_000)) % 4
    score, who = rng.choice([0.0, 0.5, 1.0], 2_000), rng.integers(0, 9, 2_000)
    order = rng.permutation(2_000)
    one = fit_annotators(group_of, left, right, score, who)
    other = fit_annotators(group_of, left[order], right[order], score[order], who[order])
    np.testing.assert_allclose(one.slope, other.slope, atol=1e-9)
    np.testing.assert_allclose(one.lean, other.lean, atol=1e-9)
    np.testing.assert_allclose(one.ratings.log_odds, other.ratings.log_odds, atol=1e-9)


@pytest.mark.parametrize(("votes", "deviation"), [(4, 1.0), (8, 1.0), (8, 1.5)])
def test_the_width_of_utilities_is_learnt_without_bias(votes: int, deviation: float) -> None:
    """Few votes a prompt: the normal approximation alone would make it a half too narrow."""
    rng = np.random.default_rng(votes)
    prompts = 1500
    utility = rng.normal(0, deviation, (prompts, 4))
    prompt = np.repeat(np.arange(prompts), votes)
    pair = np.array([rng.permutation(4)[:2] for _ in prompt])
    p = chance(utility[prompt, pair[:, 0]] - utility[prompt, pair[:, 1]])
    score = (rng.random(len(p)) < p).astype(float)
    columns = (prompt * 4 + pair[:, 0], prompt * 4 + pair[:, 1], score, rng.integers(0, 20, len(p)))
    fit = fit_annotators(np.repeat(np.arange(prompts), 4), *columns)
    assert fit.ratings.prior_deviation == pytest.approx(deviation, rel=0.15)


def test_what_a_judgment_tells_by_hand() -> None:
    assert [annotators.told(slope) for slope in (1.0, 0.5, 0.0, -1.0)] == [1.0, 0.25, 0.0, 0.0]
