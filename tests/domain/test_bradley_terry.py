"""Bradley-Terry: hand-worked numbers, golden values of a real study, and what must not change the ratings."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.domain.bradley_terry import Cluster, Vote, fit_models, fit_prompts
from backend.domain.elo import POINTS_PER_LOG_ODDS
from backend.errors import Invalid
from tests.domain.real_data import votes as real_votes

GOLDEN: list[tuple[float, bool, dict[str, float]]] = [
    (
        0.0,
        True,
        {
            "GPT 4": 1172.132556,
            "Platypus-2 Instruct (70B)": 1112.448738,
            "command": 1110.169032,
            "ReMM SLERP L2 13B": 1099.606899,
            "LLaMA-2-Chat (70B)": 1094.635384,
        },
    ),
    (
        1.0,
        True,
        {
            "GPT 4": 1166.271799,
            "Platypus-2 Instruct (70B)": 1109.291149,
            "command": 1108.656681,
            "ReMM SLERP L2 13B": 1096.940441,
            "LLaMA-2-Chat (70B)": 1092.505233,
        },
    ),
    (
        0.0,
        False,
        {
            "GPT 4": 1218.037468,
            "ReMM SLERP L2 13B": 1192.798389,
            "Platypus-2 Instruct (70B)": 1179.646546,
            "LLaMA-2-Chat (70B)": 1174.420925,
            "command": 1168.994289,
        },
    ),
]


def study(ties: bool = True) -> list[Vote]:
    return [
        Vote(vote.left, vote.right, vote.score, 1.0, vote.prompt, vote.worker)
        for vote in real_votes()
        if ties or vote.score != 0.5
    ]


@pytest.mark.parametrize(("ridge", "ties", "best"), GOLDEN)
def test_golden_ratings_of_a_real_study(ridge: float, ties: bool, best: dict[str, float]) -> None:
    board = fit_models(study(ties), ridge)
    assert board.connected and len(board.ratings) == 59
    assert list(board.ratings)[:5] == list(best)
    for name, rating in best.items():
        assert board.ratings[name].rating == pytest.approx(rating, abs=1e-6)
    assert sum(each.rating for each in board.ratings.values()) == pytest.approx(59_000)


@pytest.mark.parametrize(
    ("cluster", "clusters", "first", "mean"),
    [
        ("votes", 8931, 27.8580, 18.5667),
        ("annotator", 124, 35.2808, 21.2483),
        ("prompt", 13, 37.7763, 31.7458),
    ],
)
def test_golden_errors_of_a_real_study(cluster: Cluster, clusters: int, first: float, mean: float) -> None:
    board = fit_models(study(), 0.0, cluster)
    assert board.cluster == cluster and board.clusters == clusters
    assert board.ratings["GPT 4"].standard_error == pytest.approx(first, abs=1e-4)
    errors = [each.standard_error for each in board.ratings.values()]
    assert sum(errors) / len(errors) == pytest.approx(mean, abs=1e-4)


def test_errors_by_prompt_and_annotator_together_exceed_each_alone_on_average() -> None:
    mean = {}
    clusters: list[Cluster] = ["prompt", "annotator", "both"]
    for cluster in clusters:
        found = fit_models(study(), 0.0, cluster).ratings.values()
        mean[cluster] = sum(each.standard_error for each in found) / 59
    assert mean["both"] > mean["prompt"] > mean["annotator"]


def utilities(votes: list[tuple[Any, ...]], ridge: float) -> dict[Any, float]:
    board = fit_models([Vote(*vote) for vote in votes], ridge)
    return {model: (each.rating - 1000) / POINTS_PER_LOG_ODDS for model, each in board.ratings.items()}


def test_numbers_by_hand() -> None:
    one = utilities([("a", "b", 1.0)], 1.0)
    assert one == pytest.approx({"a": 0.337415807, "b": -0.337415807}, abs=1e-9)
    chain = utilities([("a", "b", 1.0), ("b", "c", 1.0)], 1.0)
    assert chain == pytest.approx({"a": 0.401058138, "b": 0.0, "c": -0.401058138}, abs=1e-9)
    many = utilities([("a", "b", 1.0, 18.0), ("a", "b", 0.0, 12.0)], 1.0)
    assert many["a"] == pytest.approx(0.189599732, abs=1e-9)
    # Three wins to one, no prior: odds of three to one.
    free = utilities([("a", "b", 1.0, 3.0), ("a", "b", 0.0, 1.0)], 0.0)
    assert free["a"] - free["b"] == pytest.approx(math.log(3))


def test_a_ladder_of_any_length_has_equal_rungs() -> None:
    for length in (2, 60, 200):
        rungs = [Vote(i, i + 1, score, weight) for i in range(length) for score, weight in ((1.0, 6.0), (0.0, 4.0))]
        ratings = fit_models(rungs, cluster="votes").ratings
        for i, j in pairwise(range(length + 1)):
            assert ratings[i].rating - ratings[j].rating == pytest.approx(70.436503622, abs=1e-8)


def test_an_error_by_hand() -> None:
    # Six wins to four: the variance of the log-odds is 1/6 + 1/4; each side's distance from the mean is half of it.
    board = fit_models([Vote("a", "b", 1.0, 6.0), Vote("a", "b", 0.0, 4.0)], cluster="votes")
    half = POINTS_PER_LOG_ODDS * math.sqrt(1 / 6 + 1 / 4) / 2
    assert board.ratings["a"].standard_error == pytest.approx(half)
    # The same votes by one annotator each ten times over are still only as good as their ten clusters say.
    cast = [Vote("a", "b", float(i < 6), 10.0, None, i) for i in range(10)]
    many = fit_models(cast, cluster="annotator")
    assert many.ratings["a"].standard_error == pytest.approx(half * math.sqrt(10 / 9))
    assert many.clusters == 10


def test_one_cluster_says_nothing_so_votes_stand_by_themselves() -> None:
    votes = [Vote("a", "b", 1.0, prompt="p"), Vote("a", "b", 0.0, prompt="p")]
    board = fit_models(votes, cluster="prompt")
    assert board.cluster == "votes" and board.clusters == 2
    assert board.ratings["a"].standard_error > 0


def test_without_a_ridge_votes_must_hold_everybody() -> None:
    won_all = [Vote("a", "b", 1.0), Vote("b", "c", 1.0), Vote("c", "b", 1.0)]
    islands = [Vote("a", "b", 0.5), Vote("c", "d", 0.5)]
    for votes in (won_all, islands):
        with pytest.raises(Invalid, match="ridge"):
            fit_models(votes)
        board = fit_models(votes, ridge=1.0)
        assert not board.connected
        assert all(math.isfinite(each.rating) and each.standard_error > 0 for each in board.ratings.values())


def test_a_model_without_votes_is_as_uncertain_as_the_prior() -> None:
    board = fit_models([Vote("a", "b", 0.5)] * 400, ridge=1.0, cluster="votes", models=["new"])
    assert board.ratings["new"].rating == pytest.approx(1000)
    assert board.ratings["new"].votes == 0
    # (new - mean of a and b) * 2/3 under the prior: 4/9 * (1 + 1/2).
    assert board.ratings["new"].standard_error == pytest.approx(POINTS_PER_LOG_ODDS * math.sqrt(2 / 3))
    assert fit_models([]).ratings == {}
    assert fit_models([], 1.0, models=["m"]).ratings["m"].rating == 1000.0


ROWS = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd"), st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 3))
    .filter(lambda row: row[0] != row[1])
    .map(lambda row: (row[0], row[1], row[2], float(row[3]))),
    min_size=1,
    max_size=25,
)


@settings(max_examples=40)
@given(ROWS, st.randoms(use_true_random=False))
def test_order_sides_merging_and_labels_do_not_matter(rows: list[tuple[str, str, float, float]], rng: Any) -> None:
    def rate(rows: list[Any], names: str = "abcd") -> dict[str, tuple[float, float]]:
        found = fit_prompts([list(names)], rows, 1.0).estimates
        return {name: (found[name].log_odds, found[name].standard_deviation) for name in names}

    plain = rate(rows)
    shuffled = list(rows)
    rng.shuffle(shuffled)
    singles = [(a, b, score) for a, b, score, weight in rows for _ in range(int(weight))]
    swapped = [(b, a, 1 - score, weight) for a, b, score, weight in rows]
    merged: dict[tuple[str, str, float], float] = {}
    for a, b, score, weight in rows:
        merged[a, b, score] = merged.get((a, b, score), 0.0) + weight
    for same in (shuffled, singles, swapped, [(*key, weight) for key, weight in merged.items()]):
        for name, (log_odds, deviation) in rate(same).items():
            assert (log_odds, deviation) == pytest.approx(plain[name], abs=1e-9)
    rename = dict(zip("abcd", "wxyz", strict=True))
    renamed = rate([(rename[a], rename[b], score, weight) for a, b, score, weight in rows], "zyxw")
    for name, estimate in plain.items():
        assert renamed[rename[name]] == pytest.approx(estimate, abs=1e-9)
    # The leaderboard with the same prior is the same fit.
    board = fit_models([Vote(*row) for row in rows], 1.0, models="abcd").ratings
    for name in "abcd":
        assert (board[name].rating - 1000) / POINTS_PER_LOG_ODDS == pytest.approx(plain[name][0], abs=1e-8)


def test_prompts_by_hand() -> None:
    groups = [["a", "b"], ["c", "d", "e"], ["f"], ["g", "h"], [], ["i", "j", "k", "l"]]
    rows = [("a", "b", 1.0), ("c", "d", 1.0), ("d", "e", 1.0), ("i", "j", 1.0), ("k", "l", 1.0)]
    fit = fit_prompts(groups, rows)
    assert fit.prior_deviation == 1.0
    found = {name: round(each.log_odds, 9) for name, each in fit.estimates.items()}
    step, chain = 0.337415807, 0.401058138
    assert found == {
        "a": step,
        "b": -step,
        "c": chain,
        "d": 0.0,
        "e": -chain,
        "f": 0.0,
        "g": 0.0,
        "h": 0.0,
        "i": step,
        "j": -step,
        "k": step,
        "l": -step,
    }
    assert list(fit.connected) == [True, True, True, False, True, False]
    assert [fit.estimates[name].component for name in "ijkl"] == [0, 0, 2, 2]
    # One vote: p(1-p) = q at the mode, the contrast has variance 2/(1 + 2q) = 1.18^2.
    q = 1 / (2 + math.exp(2 * step) + math.exp(-2 * step))
    assert 2 * fit.estimates["a"].standard_deviation == pytest.approx(math.sqrt(2 / (1 + 2 * q)))
    assert 2 * fit.estimates["a"].standard_deviation == pytest.approx(1.18, abs=0.005)
    assert fit.estimates["a"].rating == pytest.approx(1000 + 58.615129, abs=1e-6)
    # No votes: as far from the mean of two as the prior says.
    assert fit.estimates["g"].standard_deviation == pytest.approx(math.sqrt(0.5))
    assert [fit.estimates[name].votes for name in "acdg"] == [1, 1, 2, 0]


def test_prompts_do_not_touch_each_other() -> None:
    rng = np.random.default_rng(5)
    groups = [[(prompt, place) for place in range(2 + prompt % 3)] for prompt in range(40)]
    rows = []
    for _ in range(400):
        group = groups[rng.integers(40)]
        a, b = rng.permutation(len(group))[:2]
        rows.append((group[a], group[b], float(rng.choice([0.0, 0.5, 1.0]))))
    together = fit_prompts(groups, rows, 0.8).estimates
    for group in groups:
        alone = fit_prompts([group], [row for row in rows if row[0] in group], 0.8).estimates
        for item in group:
            assert together[item] == pytest.approx(alone[item], abs=1e-9)


# Where completions lie far apart the posterior is skewed, and a normal error of its mode a little too small.
@pytest.mark.parametrize(("width", "covered"), [(0.5, 0.95), (1.0, 0.94), (2.0, 0.91)])
def test_the_width_of_the_prior_is_learnt_and_errors_are_honest(width: float, covered: float) -> None:
    rng = np.random.default_rng(11)
    truth = rng.normal(0, width, (800, 4))
    rows = []
    for prompt in range(800):
        for _ in range(16):
            a, b = (int(place) for place in rng.permutation(4)[:2])
            chance = 1 / (1 + math.exp(truth[prompt, b] - truth[prompt, a]))
            rows.append(((prompt, a), (prompt, b), float(rng.random() < chance)))
    fit = fit_prompts([[(prompt, place) for place in range(4)] for prompt in range(800)], rows)
    assert fit.prior_deviation == pytest.approx(width, rel=0.1)
    centred = truth - truth.mean(axis=1, keepdims=True)
    inside = [
        abs(estimate.log_odds - centred[prompt, place]) < 1.96 * estimate.standard_deviation
        for (prompt, place), estimate in fit.estimates.items()
    ]
    assert sum(inside) / len(inside) == pytest.approx(covered, abs=0.02)


@pytest.mark.parametrize(
    "row",
    [
        ("a", "a", 1.0),
        ("a", "b", 1.0, -1.0),
        ("a", "b", 1.0, math.nan),
        ("a", "b", 1.0, math.inf),
        ("a", "b", math.nan),
        ("a", "b", 2.0),
        ("a", "stranger", 1.0),
        ("a", "c", 1.0),
    ],
)
def test_what_is_no_vote_is_refused(row: tuple[Any, ...]) -> None:
    with pytest.raises(Invalid):
        fit_prompts([["a", "b"], ["c", "d"]], [row])
    if "stranger" not in row and "c" not in row:
        with pytest.raises(Invalid):
            fit_models([Vote(*row)], ridge=1.0)


def test_what_is_no_question_is_refused() -> None:
    with pytest.raises(Invalid, match="listed twice"):
        fit_prompts([["a", "b"], ["b", "c"]], [])
    for wrong in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(Invalid):
            fit_prompts([["a", "b"]], [], wrong)
    for wrong in (-1.0, math.nan, math.inf):
        with pytest.raises(Invalid):
            fit_models([Vote("a", "b", 0.5)], wrong)


def test_lopsided_votes_still_converge() -> None:
    fit = fit_prompts([["a", "b", "c"]], [("a", "b", 1.0, 1e6), ("b", "c", 1.0, 1e6)], 10.0)
    assert fit.estimates["a"].log_odds > fit.estimates["b"].log_odds > fit.estimates["c"].log_odds
