"""Elo: hand-worked numbers, golden values of a real study, and what must never change."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain import elo
from backend.domain.judgments import dense
from backend.errors import Invalid
from tests.domain.real_data import votes

Rows = list[tuple[int, int, float, float]]

ROWS = st.lists(
    st.tuples(
        st.integers(0, 4), st.integers(0, 4), st.sampled_from([0.0, 0.5, 1.0]), st.floats(0, 3, allow_nan=False)
    ).filter(lambda row: row[0] != row[1]),
    max_size=40,
)

RANKS = {1.0: (1, 2), 0.5: (1, 1), 0.0: (2, 1)}

GOLDEN = {
    4: {
        "GPT 4": 1095.593548,
        "command": 1094.545052,
        "GPT 3.5 Turbo": 1079.255522,
        "GPT 3.5 Turbo (16k)": 1075.096480,
        "LLaMA-2-Chat (70B)": 1059.199390,
    },
    16: {
        "GPT 4": 1161.026084,
        "GPT 3.5 Turbo (16k)": 1128.967171,
        "Chronos Hermes (13B)": 1127.488941,
        "command": 1109.636866,
        "GPT 3.5 Turbo": 1104.557864,
    },
    32: {
        "GPT 4": 1186.166889,
        "GPT 3.5 Turbo (16k)": 1170.405978,
        "Chronos Hermes (13B)": 1167.854043,
        "MythoMax-L2 (13B)": 1143.785831,
        "command": 1119.661570,
    },
}


@pytest.mark.parametrize("k", GOLDEN)
def test_golden_values_of_a_real_study(k: int) -> None:
    ratings = elo.rate(((vote.left, vote.right, vote.score) for vote in votes()), k)
    assert len(ratings) == 59
    best = sorted(ratings, key=lambda name: -ratings[name])[:5]
    assert best == list(GOLDEN[k])
    for name in best:
        assert ratings[name] == pytest.approx(GOLDEN[k][name], abs=1e-6)
    judged: dict[str, float] = {}
    for vote in votes():
        elo.fold_judgment(judged, [vote.left, vote.right], RANKS[vote.score], k)
    assert judged == ratings  # to the last bit


def test_orders_of_a_real_study_spread_as_published() -> None:
    rows = [(vote.left, vote.right, vote.score) for vote in votes()]
    spread = elo.rate_orders(rows, 4, orders=100, seed=0)
    assert sum(each.standard_deviation for each in spread.values()) / len(spread) == pytest.approx(4.76, abs=0.1)
    assert sum(each.mean for each in spread.values()) == pytest.approx(59_000, abs=1e-6)


def test_one_vote_and_a_triangle_by_hand() -> None:
    assert elo.rate([("a", "b", 1.0)], 32) == {"a": 1016.0, "b": 984.0}
    ratings = elo.rate([("pizza", "burger", 1.0), ("burger", "sushi", 0.0), ("pizza", "sushi", 0.5)], 30)
    assert ratings["pizza"] == pytest.approx(1014.972058, abs=1e-6)
    assert ratings["burger"] == pytest.approx(970.647200, abs=1e-6)
    assert ratings["sushi"] == pytest.approx(1014.380742, abs=1e-6)


def test_expectation_by_hand_and_at_the_ends() -> None:
    assert elo.expected(1400, 1000) == pytest.approx(10 / 11)
    assert elo.expected(1000, 1400) == pytest.approx(1 / 11)
    assert elo.expected(1e9, 0) == 1.0
    assert 0 <= elo.expected(0, 1e9) < 1e-299
    assert abs(elo.POINTS_PER_LOG_ODDS - 173.717793) < 1e-6


@given(ROWS)
def test_points_are_only_passed_on(rows: Rows) -> None:
    ratings = elo.rate(rows, 32)
    assert math.fsum(ratings.values()) == pytest.approx(elo.START * len(ratings))


@given(ROWS)
def test_weight_zero_is_no_judgment_and_sides_do_not_matter(rows: Rows) -> None:
    live = [row for row in rows if row[3] > 0]
    with_zeros = elo.rate([row for each in rows for row in (each, (each[0], each[1], 1.0, 0.0))], 32)
    without = elo.rate(live, 32)
    assert {item: rating for item, rating in with_zeros.items() if item in without} == without
    swapped = elo.rate([(b, a, 1 - score, weight) for a, b, score, weight in live], 32)
    assert swapped == pytest.approx(without)


@given(ROWS, st.integers(0, 40))
def test_a_fold_may_stop_and_go_on(rows: Rows, cut: int) -> None:
    ratings = elo.rate(rows[:cut], 16)
    elo.fold(ratings, rows[cut:], 16)
    assert ratings == elo.rate(rows, 16)


def test_weight_two_moves_twice_as_far() -> None:
    assert elo.update(1000, 1000, 1.0, 32, weight=2.0) == (1032.0, 968.0)
    assert elo.update(1000, 1000, 0.0, 32, weight=0.0) == (1000.0, 1000.0)


def test_a_ranking_of_three_by_hand() -> None:
    # Equal ratings: each pair moves K/2 * 1/2 = 8 points; the first wins two pairs, the last loses two.
    ratings: dict[str, float] = {}
    elo.fold_judgment(ratings, ["a", "b", "c"], (1, 2, 3), 32)
    assert ratings == {"a": 1016.0, "b": 1000.0, "c": 984.0}
    elo.fold_judgment(ratings, ["a", "b", "c"], (1, 1, 1), 32)
    assert ratings["a"] < 1016.0 < ratings["a"] + 2 and ratings["b"] == pytest.approx(1000.0)


@given(st.lists(st.integers(1, 5), min_size=2, max_size=9), st.randoms(use_true_random=False))
def test_a_ranking_does_not_depend_on_the_order_shown_and_moves_nobody_beyond_k(values: list[int], rng: object) -> None:
    ranks = dense(values)
    items = [f"item {place}" for place in range(len(ranks))]
    start = {item: 1000.0 + 37 * place for place, item in enumerate(items)}
    one, other = dict(start), dict(start)
    elo.fold_judgment(one, items, ranks, 32)
    order = list(range(len(ranks)))
    rng.shuffle(order)  # type: ignore[attr-defined]
    elo.fold_judgment(other, [items[i] for i in order], [ranks[i] for i in order], 32)
    assert one == pytest.approx(other, abs=1e-9)
    assert math.fsum(one.values()) == pytest.approx(math.fsum(start.values()))
    assert all(abs(one[item] - start[item]) <= 32 for item in items)


def test_two_completions_of_one_model_say_nothing_about_each_other() -> None:
    ratings: dict[str, float] = {}
    elo.fold_judgment(ratings, ["m", "m"], (1, 2), 32)
    assert ratings == {"m": 1000.0}
    elo.fold_judgment(ratings, ["m", "n", "m"], (1, 2, 3), 32)  # m beats n once and loses once
    assert ratings == {"m": 1000.0, "n": 1000.0}


def test_orders_agree_with_plain_elo_and_repeat_with_their_seed() -> None:
    rows = [("a", "b", 1.0), ("b", "c", 1.0), ("a", "c", 0.5)]
    assert elo.rate_orders(rows[:1], 32, orders=3) == {"a": (1016.0, 0.0), "b": (984.0, 0.0)}
    assert elo.rate_orders([("a", "b", 1.0)] * 4, 32, 1)["a"].mean == elo.rate([("a", "b", 1.0)] * 4, 32)["a"]
    assert elo.rate_orders(rows, 32, 50, seed=3) == elo.rate_orders(rows, 32, 50, seed=3)
    assert elo.rate_orders(rows, 32, 50, seed=3) != elo.rate_orders(rows, 32, 50, seed=4)
    assert elo.rate_orders([], 32) == {}


@pytest.mark.parametrize(
    "row",
    [
        ("a", "a", 1.0),
        ("a", "b", 1.5),
        ("a", "b", math.nan),
        ("a", "b", 1.0, -1.0),
        ("a", "b", 1.0, math.nan),
        ("a", "b", 1.0, math.inf),
    ],
)
def test_what_is_no_outcome_is_refused(row: tuple[str, str, float]) -> None:
    for rate in (elo.rate, elo.rate_orders):
        with pytest.raises(Invalid):
            rate([row], 32)


@pytest.mark.parametrize("k", [0, -1, math.nan, math.inf])
def test_what_is_no_k_is_refused(k: float) -> None:
    with pytest.raises(Invalid):
        elo.rate([("a", "b", 1.0)], k)
