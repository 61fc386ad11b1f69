"""Rewards: centred within the prompt, one scale for all, sure ones weigh more, the split never moves."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.elo import POINTS_PER_LOG_ODDS
from backend.domain.rewards import HELD_OUT_SHARE, Rated, half, normalise, split
from backend.errors import Invalid

points = st.floats(min_value=0, max_value=3000)
groups = st.lists(st.lists(points, min_size=2, max_size=6), min_size=1, max_size=8)


def rated(*ratings: float, judgments: int = 3) -> list[Rated]:
    return [Rated(rating, judgments) for rating in ratings]


def test_by_hand():
    """Two prompts, ±d and ±2d: the pooled deviation is sqrt((2 d^2 + 8 d^2) / 2) = d sqrt 5."""
    d = 20.0
    result = normalise([rated(1000 + d, 1000 - d), rated(1000 + 2 * d, 1000 - 2 * d)])
    assert result.scale == pytest.approx(d * math.sqrt(5) / POINTS_PER_LOG_ODDS)
    assert [item.reward for item in result.groups[0] or []] == pytest.approx([1 / math.sqrt(5), -1 / math.sqrt(5)])
    assert [item.reward for item in result.groups[1] or []] == pytest.approx([2 / math.sqrt(5), -2 / math.sqrt(5)])


@given(groups)
def test_centred_within_the_prompt(ratings):
    for group in normalise([rated(*group) for group in ratings]).groups:
        assert group is not None
        rewards = [item.reward for item in group]
        if max(map(abs, rewards)) < 5:
            assert math.fsum(rewards) == pytest.approx(0, abs=1e-9)


@given(groups, st.floats(min_value=-500, max_value=500))
def test_a_prompt_wide_offset_changes_nothing(ratings, offset):
    before = normalise([rated(*group) for group in ratings])
    after = normalise([rated(*(r + offset for r in group)) for group in ratings])
    for a, b in zip(before.groups, after.groups, strict=True):
        assert [x.reward for x in a or []] == pytest.approx([x.reward for x in b or []], abs=1e-6)


def test_one_scale_keeps_the_size_of_differences():
    """A z-score per prompt would make these two prompts look alike."""
    close, clear = normalise([rated(1001, 999), rated(1100, 900)]).groups
    assert close is not None
    assert clear is not None
    assert clear[0].reward / close[0].reward == pytest.approx(100)


def test_order_is_kept_and_outliers_are_clipped():
    many = [rated(1001, 999) for _ in range(200)]
    group = normalise([*many, rated(1500, 1000, 500)]).groups[-1]
    assert group is not None
    assert [item.reward for item in group] == [5.0, 0.0, -5.0]


def test_prompts_without_judgments_are_left_out_and_ties_kept():
    nobody, tied, decided = normalise([rated(1000, 1000, judgments=0), rated(1000, 1000), rated(1016, 984)]).groups
    assert nobody is None
    assert [item.reward for item in tied or []] == [0.0, 0.0]
    assert [item.reward > 0 for item in decided or []] == [True, False]


def test_the_scale_comes_from_the_training_prompts():
    ratings = [rated(1100, 900), rated(1010, 990)]
    assert normalise(ratings, [False, True]).scale == pytest.approx(normalise(ratings[1:]).scale)


def test_surer_ratings_weigh_more_and_the_mean_weight_is_one():
    unsure, sure = [Rated(1010, 1), Rated(990, 1)], [Rated(1010, 40), Rated(990, 40)]
    result = normalise([unsure, sure])
    weights = [item.weight for group in result.groups for item in group or []]
    assert weights[2] > weights[0]
    assert math.fsum(weights) == pytest.approx(len(weights))


def test_a_standard_error_decides_the_weight_where_there_is_one():
    narrow, wide = Rated(1010, 5, standard_error=20), Rated(990, 5, standard_error=120)
    group = normalise([[narrow, wide]]).groups[0]
    assert group is not None
    assert group[0].weight > group[1].weight


def test_only_ties_have_scale_one():
    assert normalise([rated(1000, 1000)]).scale == 1.0


def test_no_judgments_are_refused():
    with pytest.raises(Invalid, match="no judgments yet"):
        normalise([rated(1000, 1000, judgments=0)])


def test_the_split_never_moves():
    """Frozen answers: changing them would leak held-out prompts into training."""
    assert "".join(split(digest)[0] for digest in "abcdefgh") == "thhtttht"


def test_halves_never_move_and_know_nothing_of_the_split():
    assert "".join(half(digest)[0] for digest in "abcdefgh") == "sssffsss"
    keys = [f"prompt {i}" for i in range(20_000)]
    for side in ("train", "held_out"):
        here = [half(key) for key in keys if split(key) == side]
        assert here.count("first") / len(here) == pytest.approx(0.5, abs=0.02)


def test_the_split_has_the_share_asked_for():
    held = sum(split(f"prompt {i}") == "held_out" for i in range(20_000)) / 20_000
    assert held == pytest.approx(HELD_OUT_SHARE, abs=0.01)


def test_other_normalisations_by_hand():
    step = POINTS_PER_LOG_ODDS
    groups = [rated(1000 + 2 * step, 1000, 1000 - step), rated(1000, 1000)]

    def rewards(normalisation):
        result = normalise(groups, normalisation=normalisation)
        return [[item.reward for item in group or []] for group in result.groups], result.scale

    # Log-odds 2, 0, -1 around a mean of 1/3: squares 25/9 + 1/9 + 16/9 = 42/9 over three, deviation sqrt(14/9).
    deviation = math.sqrt(14 / 9)
    assert rewards("prompt_z")[0][0] == pytest.approx([5 / 3 / deviation, -1 / 3 / deviation, -4 / 3 / deviation])
    assert rewards("prompt_min_max")[0] == [pytest.approx([1.0, 1 / 3, 0.0]), [0.5, 0.5]]
    assert rewards("prompt_z")[0][1] == [0.0, 0.0]
    assert rewards("logistic")[0][0] == pytest.approx([1 / (1 + math.exp(-2)), 0.5, 1 / (1 + math.e)])
    values, scale = rewards("linear_global")
    assert scale == pytest.approx(1.0)  # sqrt((4 + 0 + 1 + 0 + 0) / 5)
    assert values[0] == pytest.approx([2.0, 0.0, -1.0])


def test_one_vote_and_thirty_are_told_apart_by_the_default_alone():
    """A vote of one, and eighteen to twelve: what is thin becomes small, and is not stretched to the same gap."""
    thin, thick = rated(1058.6, 941.4, judgments=1), rated(1032.9, 967.1, judgments=30)
    for normalisation in ("prompt_z", "prompt_min_max"):
        first, second = normalise([thin, thick], normalisation=normalisation).groups
        assert [x.reward for x in first or []] == pytest.approx([x.reward for x in second or []])
    first, second = normalise([thin, thick]).groups
    assert first and second and first[0].reward > 1.5 * second[0].reward and first[0].weight < second[0].weight
