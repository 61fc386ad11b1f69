"""A noisy crowd with a hidden truth, small: who counts by how sharply they see, and pairs that are chosen, both pay."""

import numpy as np
import pytest

from benchmarks.asking import BRADLEY_TERRY, CROWD, ELO, World, collect, follow, rate, reward_error, spearman


@pytest.fixture(scope="module")
def found() -> dict[tuple[str, str], tuple[float, float]]:
    """Rank correlation and error of rewards after eight judgments a prompt, the mean of two worlds."""
    worlds = [World.draw(400, seed) for seed in (1, 2)]
    seen: dict[tuple[str, str], tuple[float, float]] = {}
    for name, share in (("random", 1.0), ("active", 0.1)):
        votes = [collect(world, 8 * 400, random_share=share, crowd=share < 1.0) for world in worlds]
        for method in (ELO, BRADLEY_TERRY, CROWD):
            last = [follow(world, some, method, (8,))[0] for world, some in zip(worlds, votes, strict=True)]
            seen[name, method] = sum(one.spearman for one in last) / 2, sum(one.error for one in last) / 2
    return seen


def test_plain_elo_by_chance_is_what_it_is_elsewhere(found) -> None:
    assert found["random", ELO] == pytest.approx((0.59, 0.65), abs=0.06)
    assert found["random", BRADLEY_TERRY][0] > found["random", ELO][0] - 0.005


def test_knowing_the_annotators_pays(found) -> None:
    assert found["random", CROWD][0] > found["random", BRADLEY_TERRY][0] + 0.01
    assert found["random", CROWD][1] < found["random", BRADLEY_TERRY][1] - 0.01


def test_choosing_pays(found) -> None:
    for method in (ELO, BRADLEY_TERRY, CROWD):
        assert found["active", method][0] > found["random", method][0] + 0.01, method
        assert found["active", method][1] < found["random", method][1] - 0.01, method
    assert found["active", CROWD][0] > found["random", ELO][0] + 0.05


def test_what_guessers_answered_is_asked_again() -> None:
    """Prompts whose first five judgments told little, by the truth, get more of the others."""
    world = World.draw(400, 1)
    votes = collect(world, 8 * 400, random_share=0.1, crowd=True)
    prompt = votes.first // 4
    begun = [np.flatnonzero(prompt == one)[:5] for one in range(400)]
    told = [float((np.maximum(world.slope[votes.person[first]], 0.0) ** 2).sum()) for first in begun]
    assert np.corrcoef(told, np.bincount(prompt))[0, 1] < -0.35
    alike = collect(world, 8 * 400, random_share=0.1)
    assert set(np.bincount(alike.first // 4)) == {8}


def test_stopping_saves_judgments_and_leaves_what_is_settled_alone() -> None:
    world = World.draw(100, 3)
    by_chance = collect(world, 3200, random_share=1.0, target_error=115.0)
    active = collect(world, 3200, random_share=0.1, target_error=115.0)
    assert len(active.first) < 0.9 * len(by_chance.first) < 3000
    truth = rate(world, active, CROWD)
    assert spearman(truth, world.utility) > 0.5 and reward_error(truth, world.utility) < 0.8
