"""The leaderboard: golden values of a real study, hand-worked numbers, clusters and controls."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from backend.domain.elo import POINTS_PER_LOG_ODDS
from backend.domain.leaderboard import (
    SIDE,
    Cluster,
    Vote,
    chance_of_best,
    fit_models,
    ranks,
)
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


def test_golden_lean_to_the_left_of_a_real_study() -> None:
    board = fit_models(study(), cluster="votes", side=True)
    best = {
        "GPT 4": 1167.728803,
        "Platypus-2 Instruct (70B)": 1114.470593,
        "command": 1110.280389,
        "ReMM SLERP L2 13B": 1097.593536,
        "LLaMA-2-Chat (70B)": 1094.296662,
    }
    assert list(board.ratings)[:5] == list(best)
    for name, rating in best.items():
        assert board.ratings[name].rating == pytest.approx(rating, abs=1e-6)
    assert board.controls[SIDE].value == pytest.approx(0.090880, abs=1e-6)
    # 0.022562 is the error if every vote were a coin; ties vary less than that, and votes on one prompt hang together.
    by_prompt = fit_models(study(), cluster="prompt", side=True).controls[SIDE]
    assert 0.012 < board.controls[SIDE].standard_error < 0.022562 < by_prompt.standard_error


def simulated(seed: int, effect: float, lean: float, votes: int = 6_000) -> list[Vote]:
    """Votes between four equal models of which the first writes long, by people who like length and the left side."""
    rng = np.random.default_rng(seed)
    cast = []
    for i in range(votes):
        a, b = (int(place) for place in rng.permutation(4)[:2])
        length = rng.normal([2.0, 0.0, 0.0, 0.0], 1.0)
        gap = effect * (length[a] - length[b]) + lean
        won = float(rng.random() < 1 / (1 + math.exp(-gap)))
        cast.append(Vote(a, b, won, prompt=i % 400, controls=(float(length[a] - length[b]),)))
    return cast


def test_controls_take_out_what_length_and_side_win() -> None:
    cast = simulated(3, 0.5, 0.4)
    raw = fit_models([vote._replace(controls=()) for vote in cast])
    controlled = fit_models(cast, controls=["length"], side=True)
    assert raw.ratings[0].rating - raw.ratings[1].rating > 100
    for model in range(4):
        assert abs(controlled.ratings[model].rating - 1000) < 3.5 * controlled.ratings[model].standard_error
    spread = float(np.std([vote.controls[0] for vote in cast]))
    length, side = controlled.controls["length"], controlled.controls[SIDE]
    assert abs(length.value / spread - 0.5) < 3 * length.standard_error / spread
    assert abs(side.value - 0.4) < 3 * side.standard_error
    assert 0.02 < side.standard_error < 0.05


def test_controls_that_are_always_zero_change_nothing() -> None:
    cast = [Vote(a, b, score, prompt=i) for i, (a, b, score) in enumerate([("a", "b", 1.0), ("b", "a", 1.0)] * 20)]
    plain = fit_models(cast)
    flat = fit_models([vote._replace(controls=(0.0,)) for vote in cast], controls=["length"])
    assert flat.controls["length"].value == pytest.approx(0.0)
    for model, each in plain.ratings.items():
        assert flat.ratings[model] == pytest.approx(each)
    with pytest.raises(Invalid, match="controls"):
        fit_models(cast, controls=["length"])


def test_ranks_are_shared_until_a_difference_is_beyond_doubt() -> None:
    clear = [Vote("a", "b", score, weight) for score, weight in ((1.0, 90.0), (0.0, 10.0))]
    close = [Vote("b", "c", score, weight) for score, weight in ((1.0, 52.0), (0.0, 48.0))]
    far = [Vote("a", "c", score, weight) for score, weight in ((1.0, 90.0), (0.0, 10.0))]
    ratings = fit_models([*clear, *close, *far], cluster="votes").ratings
    assert [ratings[name].rank for name in "abc"] == [1, 2, 2]
    assert ratings["a"].chance_of_best > 0.999
    assert sum(each.chance_of_best for each in ratings.values()) == pytest.approx(1.0)
    equal = fit_models([Vote("a", "b", 0.5)] * 10, cluster="votes", ridge=1.0).ratings
    assert {each.rank for each in equal.values()} == {1}


def test_chances_of_being_best_by_hand() -> None:
    # Two independent normals one apart, each of deviation 1/sqrt(2): the gap has deviation 1, so Phi(1) = 0.8413.
    best = chance_of_best(np.array([0.5, -0.5]), np.eye(2) / 2, draws=200_000)
    assert best[0] == pytest.approx(0.8413, abs=0.004)
    # Holm: gaps of 2.1 and 5 errors against the first of three: 0.0357 * 1 < 0.05 after the clearer one passed.
    found = ranks(np.array([0.0, 2.1, 5.0]), np.diag([0.0, 1.0, 1.0]))
    assert list(found) == [3, 1, 1]
    assert list(ranks(np.array([0.0, 2.1]), np.diag([0.0, 1.0]))) == [2, 1]
    assert list(ranks(np.array([0.0, 2.1, 2.0]), np.diag([0.0, 1.0, 1.0]))) == [1, 1, 1]
