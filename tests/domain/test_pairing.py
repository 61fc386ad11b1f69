"""Which comparison comes next: what may never be asked again, how chance is spread, and which pairs are worth most."""

import math
from collections import Counter
from itertools import combinations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.elo import POINTS_PER_LOG_ODDS
from backend.domain.pairing import Candidate, Choice, _worth, choose
from backend.errors import Invalid

CANDIDATES = st.lists(st.tuples(st.floats(600, 1400), st.integers(0, 30)), min_size=2, max_size=7).map(
    lambda rows: [Candidate(f"c{i}", rating, judged) for i, (rating, judged) in enumerate(rows)]
)


def flat_of(names: str) -> list[Candidate[str]]:
    return [Candidate(name, 1000.0, 0) for name in names]


def flat(count: int) -> list[Candidate[str]]:
    return [Candidate(f"c{i}", 1000.0, 0) for i in range(count)]


@given(CANDIDATES, st.integers(2, 4), st.integers(1, 3), st.data())
def test_nothing_is_asked_beyond_its_overlap_or_twice_of_one_person(
    candidates: list[Candidate[str]], size: int, overlap: int, data: st.DataObject
) -> None:
    sets = [frozenset(group) for group in combinations([each.id for each in candidates], size)]
    asked = {group: data.draw(st.integers(0, 4)) for group in sets}
    seen = {group for group in sets if data.draw(st.booleans())}
    rng = Random(data.draw(st.integers(0, 10**6)))
    choice = choose(candidates, asked, seen, overlap, size, 0.1, rng)
    still_open = [group for group in sets if asked[group] < overlap and group not in seen]
    if choice is None:
        assert not still_open
        return
    assert frozenset(choice.completions) in still_open
    assert len(choice.completions) == size
    assert 0 < choice.probability <= 1 + 1e-12
    if len(still_open) == 1:
        assert choice.probability == pytest.approx(1)


@given(CANDIDATES, st.integers(2, 3), st.integers(0, 10**6))
def test_asking_until_nothing_is_left_asks_every_set_exactly_overlap_times(
    candidates: list[Candidate[str]], size: int, seed: int
) -> None:
    rng, asked = Random(seed), Counter[frozenset[str]]()
    for _ in range(2):  # two people, overlap 2
        seen: set[frozenset[str]] = set()
        while choice := choose(candidates, asked, seen, 2, size, 0.1, rng):
            group = frozenset(choice.completions)
            seen.add(group)
            asked[group] += 1
    expected = math.comb(len(candidates), size)
    assert len(asked) == expected and set(asked.values()) <= {2}


def draws(candidates: list[Candidate[str]], share: float, times: int, size: int = 2) -> list[Choice[str]]:
    rng = Random(7)
    found = [choose(candidates, {}, set(), 1, size, share, rng) for _ in range(times)]
    return [choice for choice in found if choice]


def test_the_probability_is_the_one_with_which_sets_are_drawn() -> None:
    candidates = [Candidate("a", 1000.0, 3), Candidate("b", 1000.0, 1), Candidate("c", 1200.0, 0)]
    found = draws(candidates, 0.3, 6_000)
    share = Counter(frozenset(choice.completions) for choice in found)
    stated = {frozenset(choice.completions): choice.probability for choice in found}
    assert math.fsum(stated.values()) == pytest.approx(1)
    assert stated[frozenset("ab")] == pytest.approx(0.7 + 0.1)
    for group, probability in stated.items():
        assert share[group] / len(found) == pytest.approx(probability, abs=0.02)
    assert sum(choice.policy == "random" for choice in found) / len(found) == pytest.approx(0.3, abs=0.02)


def test_shares_of_nothing_and_of_everything() -> None:
    assert {choice.policy for choice in draws(flat(4), 0.0, 100)} == {"informative"}
    # Six pairs of equals are worth the same: chance decides in either way.
    for choice in draws(flat(4), 0.25, 20):
        assert choice.probability == pytest.approx(1 / 6)
    everything = draws(flat(4), 1.0, 3_000)
    assert {choice.policy for choice in everything} == {"random"}
    share = Counter(frozenset(choice.completions) for choice in everything)
    assert len(share) == 6 and all(times / 3_000 == pytest.approx(1 / 6, abs=0.03) for times in share.values())


def test_sides_are_fair_and_mend_a_lean() -> None:
    pair = flat(2)
    left = Counter(choice.completions[0] for choice in draws(pair, 0.1, 4_000))
    assert left["c0"] / 4_000 == pytest.approx(0.5, abs=0.03)
    rng, on_left, farthest = Random(1), Counter[str](), 0
    for _ in range(2_000):
        choice = choose(pair, {}, set(), 1, 2, 0.1, rng, lambda a, b: on_left[a] - on_left[b])
        assert choice
        on_left[choice.completions[0]] += 1
        farthest = max(farthest, abs(on_left["c0"] - on_left["c1"]))
    lead = on_left["c0"] - on_left["c1"]
    # Each step back is twice as likely as one away, so 15 away comes up about once in 2 ** 14 steps.
    assert abs(lead) <= 15 and 3 <= farthest <= 20
    lean: Counter[str] = Counter()
    for _ in range(2_000):
        choice = choose(pair, {}, set(), 1, 2, 0.1, rng, lambda a, b: 3 if a == "c0" else -3)
        assert choice
        lean[choice.completions[0]] += 1
    assert lean["c0"] / 2_000 == pytest.approx(1 / 3, abs=0.04)


def test_every_order_of_three_is_shown_equally_often() -> None:
    orders = Counter(choice.completions for choice in draws(flat(3), 0.1, 6_000, size=3))
    assert len(orders) == 6 and all(times / 6_000 == pytest.approx(1 / 6, abs=0.02) for times in orders.values())


def informative(candidates: list[Candidate[str]], asked: dict[frozenset[str], int], size: int = 2) -> frozenset[str]:
    choice = choose(candidates, asked, set(), 100, size, 0.0, Random(0))
    assert choice
    return frozenset(choice.completions)


def test_close_and_unknown_pairs_are_worth_most() -> None:
    near = [Candidate("a", 1000.0, 0), Candidate("b", 1010.0, 0), Candidate("c", 1400.0, 0)]
    assert informative(near, {}) == frozenset("ab")
    # Equals that were asked twenty times are known to be equal; the others are not known at all.
    assert informative(near, {frozenset("ab"): 20}) == frozenset("bc")
    # Of two pairs worth the same, the one that was judged less.
    even = [Candidate("a", 1000.0, 5), Candidate("b", 1000.0, 0), Candidate("c", 1000.0, 1)]
    assert informative(even, {}) == frozenset("bc")


def test_what_a_reward_model_contradicts_is_worth_asking() -> None:
    # By the ratings a beats b as c beats d, at 10 : 1. The reward model agrees on the one and not on the other.
    gap, lead = 400.0, math.log(10)
    rated = [("a", 1000 + gap / 2), ("b", 1000 - gap / 2), ("c", 1000 + gap / 2), ("d", 1000 - gap / 2)]
    everything_else = {frozenset(pair): 1 for pair in combinations("abcd", 2)} | {
        frozenset(pair): 100 for pair in ("ac", "bd", "ad", "bc")
    }
    for contradicted in ("ab", "cd"):
        scores = dict.fromkeys("abcd", 0.0)
        scores |= {"a": lead / 2, "b": -lead / 2, "c": lead / 2, "d": -lead / 2}
        first, second = contradicted
        scores[first], scores[second] = scores[second], scores[first]
        candidates = [Candidate(name, rating, 0, scores[name]) for name, rating in rated]
        chosen = choose(candidates, everything_else, set(), 50, 2, 0.0, Random(0))
        assert chosen and frozenset(chosen.completions) == frozenset(contradicted)


@given(st.lists(st.floats(-400, 400), min_size=2, max_size=6), st.floats(-3, 3))
def test_a_reward_model_that_agrees_changes_nothing(ratings: list[float], offset: float) -> None:
    def worth(scored: bool) -> list[list[float]]:
        candidates = [
            Candidate(i, 1000.0 + rating, 0, rating / POINTS_PER_LOG_ODDS + offset if scored else None)
            for i, rating in enumerate(ratings)
        ]
        found: list[list[float]] = _worth(
            candidates, {frozenset((0, 1)): 2}, {i: i for i in range(len(ratings))}
        ).tolist()
        return found

    for mixed, plain in zip(worth(True), worth(False), strict=True):
        assert mixed == pytest.approx(plain, abs=1e-9)


def test_the_worth_by_hand() -> None:
    # p = 10/11, q = 1/11: the mixture is even, 1/4. Nothing asked yet: the variance of the difference is 2.
    pair = [Candidate("a", 1400.0, 0, -math.log(10)), Candidate("b", 1000.0, 0, 0.0)]
    assert _worth(pair, {}, {"a": 0, "b": 1})[0, 1] == pytest.approx(0.5)
    unscored = [Candidate("a", 1400.0, 0, 3.0), Candidate("b", 1000.0, 0)]
    assert _worth(unscored, {}, {"a": 0, "b": 1})[0, 1] == pytest.approx(2 * 10 / 121)


def test_a_chain_tells_of_its_ends_too() -> None:
    # a-b and b-c were asked, so a-c is partly known through b; d has met nobody.
    asked = {frozenset("ab"): 4, frozenset("bc"): 4}
    chosen = informative([Candidate(name, 1000.0, 0) for name in "abcd"], asked)
    assert "d" in chosen and "b" not in chosen


def test_of_four_the_three_closest_are_ranked_together() -> None:
    candidates = [
        Candidate(name, rating, 0) for name, rating in zip("abcd", (1000.0, 1600.0, 1010.0, 990.0), strict=True)
    ]
    assert informative(candidates, {}, size=3) == frozenset("acd")


def test_many_completions_are_chosen_from_quickly_and_the_least_judged_come_first() -> None:
    crowd = [Candidate(f"c{i}", 1000.0, 9 if i < 60 else 0) for i in range(80)]
    chosen = informative(crowd, {}, size=4)
    assert all(int(name[1:]) >= 60 for name in chosen)
    everything = draws(crowd, 1.0, 50, size=4)
    assert all(choice.probability == pytest.approx(1 / math.comb(80, 4)) for choice in everything[:1])


def test_too_few_completions_and_nonsense() -> None:
    assert choose(flat(2), {}, set(), 1, 3, 0.1, Random(0)) is None
    assert choose([], {}, set(), 1, 2, 0.1, Random(0)) is None
    with pytest.raises(Invalid):
        choose(flat(3), {}, set(), 1, 1, 0.1, Random(0))
    with pytest.raises(Invalid):
        choose([*flat(2), *flat(1)], {}, set(), 1, 2, 0.1, Random(0))


def test_what_tells_nothing_is_asked_again() -> None:
    # Of three equals each pair was asked once; the answer about b and c was a guess.
    pairs = {frozenset("ab"): 1, frozenset("ac"): 1, frozenset("bc"): 1}
    told = {**pairs, frozenset("bc"): 0.0}
    for seed in range(5):
        chosen = choose(flat_of("abc"), pairs, set(), 9, 2, 0.0, Random(seed), told=told)
        assert chosen is not None and frozenset(chosen.completions) == frozenset("bc")
    # It was asked all the same: no more often than the overlap.
    assert choose(flat_of("bc"), pairs, set(), 1, 2, 0.0, Random(0), told=told) is None


def test_the_worth_of_half_a_judgment_by_hand() -> None:
    # Between equals p(1 - p) = 1/4; precision of the difference: 1/2 of the prior, and 1/4 of each judgment.
    assert _worth(flat_of("ab"), {frozenset("ab"): 0.5}, {"a": 0, "b": 1})[0, 1] == pytest.approx(0.25 / (0.5 + 0.125))
