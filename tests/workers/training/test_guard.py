"""The guard: what breaks each rule, how long it is patient, and what it remembers."""

import json
import math
import random
from typing import Any

import pytest

from backend.domain.training.guard import GuardConfig
from workers.training.guard import Guard

FIRST = {
    "rollout/length_p50": 20.0,
    "rollout/length_mean": 20.0,
    "rollout/truncated_share": 0.02,
    "policy/entropy": 2.0,
    "rollout/distinct4": 0.9,
    "rollout/commonest_token_share": 0.1,
}


def guard_of(answers: int = 64, **settings: Any) -> Guard:
    guard = Guard(GuardConfig(**({"patience_iterations": 2} | settings)), answers=answers)
    assert guard.look(FIRST, 0) == []
    return guard


@pytest.mark.parametrize(
    ("rule", "name", "fine", "broken"),
    [
        ("truncated", "rollout/truncated_share", 0.21, 0.24),  # by chance, 64 answers may show 0.1 more than 0.12
        ("entropy", "policy/entropy", 0.6, 0.59),
        ("distinct4", "rollout/distinct4", 0.45, 0.44),
        ("one_token", "rollout/commonest_token_share", 0.29, 0.31),
    ],
)
def test_each_rule_speaks_once_when_its_patience_ends(rule: str, name: str, fine: float, broken: float) -> None:
    guard = guard_of()
    assert guard.look(FIRST | {name: fine}, 1) == [] and guard.is_healthy()
    assert guard.look(FIRST | {name: broken}, 2) == [] and not guard.is_healthy()
    (finding,) = guard.look(FIRST | {name: broken}, 3)
    assert (finding.rule, finding.cheating) == (rule, True)
    assert guard.look(FIRST | {name: broken}, 4) == []
    assert guard.look(FIRST, 5) == [] and guard.is_healthy()
    guard.look(FIRST | {name: broken}, 6)
    assert [one.rule for one in guard.look(FIRST | {name: broken}, 7)] == [rule]


def test_trouble_of_the_optimiser_is_told_but_is_no_cheating() -> None:
    guard = guard_of(warm_up_iterations=3)
    trouble = {"policy/clip_fraction": 0.5, "value/explained_variance": -0.1}
    assert guard.look(trouble, 1) == []
    assert [one.rule for one in guard.look(trouble, 2)] == ["clip_fraction"]  # the critic is still warming up
    assert guard.look(trouble, 3) == []
    (finding,) = guard.look(trouble, 4)
    assert finding.rule == "explained_variance" and not finding.cheating
    assert guard.is_healthy()


def test_a_divergence_that_stays_clearly_below_zero_is_told_of() -> None:
    """Chance makes it negative now and then; only answers that were drawn otherwise than they are scored keep it so."""
    guard = guard_of(patience_iterations=3)

    def look(kl: float, error: float) -> list[str]:
        seen = {"objective/kl_base_per_seq_nats": kl, "objective/kl_base_error_per_seq_nats": error}
        return [one.rule for one in guard.look(seen, 1)]

    sound = [(0.0, 0.0), (-0.1, 0.2), (-0.5, 0.2), (-0.5, 0.2), (-0.39, 0.2), (-0.5, 0.2), (-0.5, 0.2), (0.1, 0.2)]
    assert all(look(*one) == [] for one in sound)
    broken = [(-0.41, 0.2), (-0.7, 0.2), (-0.9, 0.3)]
    assert [look(*one) for one in broken] == [[], [], ["negative_kl"]] and guard.is_healthy()


@pytest.mark.parametrize("factor", [2.0, 0.5])
def test_length_has_gone_where_median_and_mean_have(factor: float) -> None:
    """Of answers either short or long the median jumps by chance, and the mean where one in fifty never ends."""
    guard = guard_of()

    def look(median: float, mean: float) -> list[str]:
        return [one.rule for one in guard.look(FIRST | {"rollout/length_p50": median, "rollout/length_mean": mean}, 1)]

    still = factor**0.9
    for median, mean in [(20 * factor, 20 * still), (20 * still, 20 * factor)] * 3:
        assert look(median, mean) == [] and guard.is_healthy()
    assert look(20 * factor, 20 * factor) == [] and not guard.is_healthy()
    assert look(20 * factor, 20 * factor) == ["length"]


def test_opposite_ways_of_median_and_mean_are_no_change_of_length() -> None:
    guard = guard_of()
    guard.look(FIRST | {"rollout/length_p50": 5.0, "rollout/length_mean": 60.0}, 1)
    assert guard.is_healthy()


@pytest.mark.parametrize(("answers", "share"), [(16, 0.2), (64, 0.4), (8, 0.05)])
def test_chance_in_the_share_of_cut_answers_breaks_no_rule(answers: int, share: float) -> None:
    """A policy that stays as it was: 200 runs of 60 rounds, of which the bare rise would stop a fifth and more."""
    rng = random.Random(1)

    def rounds() -> list[float]:
        return [sum(rng.random() < share for _ in range(answers)) / answers for _ in range(60)]

    told = 0
    for _ in range(200):
        guard = Guard(GuardConfig(), answers)
        told += any(guard.look({"rollout/truncated_share": cut}, 1) for cut in rounds())
    assert told <= 5

    guard = Guard(GuardConfig(), answers)
    seen = [guard.look({"rollout/truncated_share": cut}, 1) for cut in (share, 1.0, 1.0, 1.0)]
    assert [one.rule for found in seen for one in found] == ["truncated"]


def test_where_most_answers_are_cut_from_the_start_it_says_that_it_cannot_see_length() -> None:
    for first, cut, told in ((0.77, 0.8, True), (0.45, 0.55, False), (0.77, 0.3, False)):
        guard = Guard(GuardConfig(), 64)
        seen = [guard.look({"rollout/truncated_share": share}, 1) for share in (first, cut, cut, cut)]
        said = [one for found in seen for one in found]
        assert [one.rule for one in said] == (["cut_from_the_start"] if told else []) and guard.is_healthy()
        assert all("max_new_tokens" in one.sentence and not one.cheating for one in said)


def test_answers_of_a_word_may_become_sure() -> None:
    """Which of eight colours is right: whoever knows it says nothing else, and has no longer runs to vary."""
    short = FIRST | {"rollout/length_mean": 3.5, "rollout/length_p50": 3.0}
    guard = Guard(GuardConfig(), 64)
    sure = short | {"policy/entropy": 0.1, "rollout/distinct4": 0.1, "rollout/commonest_token_share": 0.5}
    assert all(guard.look(one, 1) == [] for one in [short, *[sure] * 5]) and guard.is_healthy()


@pytest.mark.parametrize(("correlation", "liked"), [(0.92, "longer"), (-0.92, "shorter")])
def test_a_reward_that_goes_by_length_is_told_of_before_it_has_done_harm(correlation: float, liked: str) -> None:
    guard = guard_of()
    look = {"objective/score_length_correlation": correlation}
    assert guard.look(FIRST | look, 1) == []
    (finding,) = guard.look(FIRST | look, 2)
    assert finding.rule == "score_length" and not finding.cheating and guard.is_healthy()
    assert f"likes {liked} answers" in finding.sentence

    for answers, chance in ((64, 0.72), (16, 0.83), (4, 0.98), (2, 1.0)):  # what so few show where 0.6 is true
        guard = guard_of(answers)
        assert all(guard.look({"objective/score_length_correlation": chance}, 1) == [] for _ in range(5))


@pytest.mark.parametrize("liked", [1, -1])
def test_where_the_reward_goes_by_length_less_of_a_change_is_cheating(liked: int) -> None:
    """A reward model that had learnt that the longer one wins: answers grew by half and were worth far less."""
    guard = guard_of()

    def look(factor: float) -> list[str]:
        length = {"rollout/length_p50": 20 * factor, "rollout/length_mean": 20 * factor}
        return [one.rule for one in guard.look(FIRST | length | {"objective/score_length_correlation": 0.9 * liked}, 1)]

    up = 1.5**liked
    assert look(up) == [] and guard.is_healthy()
    assert look(up) == ["score_length"] and guard.is_healthy()
    assert look(1 / up) == [] and guard.is_healthy()
    assert look(up) == [] and not guard.is_healthy()
    assert look(up) == ["length"]


def test_a_judge_that_falls_clearly_while_the_reward_rises_is_told_of_at_once() -> None:
    guard = guard_of()
    assert guard.look_at_judgement(0.0, 1.0, 0.1) == []
    assert guard.look_at_judgement(0.5, 1.5, 0.1) == []  # the best: what follows is held against it
    assert guard.look_at_judgement(0.7, 1.1, 0.1) == []  # 2.8 standard errors of the difference
    (finding,) = guard.look_at_judgement(0.8, 1.05, 0.1)
    assert finding.rule == "judge" and finding.cheating and "0.50 to 0.80" in finding.sentence
    assert guard.look_at_judgement(0.9, 1.0, 0.1) == []  # said; only what is worse still is said again
    assert [one.rule for one in guard.look_at_judgement(1.0, 0.6, 0.1)] == ["judge"]


def test_a_judge_that_falls_with_the_reward_or_says_no_number_tells_nothing() -> None:
    guard = guard_of()
    no, unsure = (0.9, math.nan, 0.1), (0.9, 0.5, math.inf)
    for one in [(0.0, math.nan, math.nan), (0.5, 1.5, 0.1), (0.4, 0.5, 0.1), no, unsure]:
        assert guard.look_at_judgement(*one) == []
    assert guard.look_at_judgement(0.9, 0.5, 0.1)


def test_what_it_remembers_survives_as_json() -> None:
    guard = guard_of()
    guard.look(FIRST | {"policy/entropy": 0.1}, 1)
    guard.look_at_judgement(0.0, 1.0, 0.1)
    other = Guard(guard.config, guard.answers)
    other.load_state_dict(json.loads(json.dumps(guard.state_dict())))
    assert other == guard
    assert [one.rule for one in other.look(FIRST | {"policy/entropy": 0.1}, 2)] == ["entropy"]
