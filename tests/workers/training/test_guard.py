"""The guard: what breaks each rule, how long it is patient, and what it remembers."""

import json
import math
import random
import statistics
from typing import Any

import pytest

from backend.domain.training.guard import GuardConfig
from workers.training.guard import Finding, Guard

FIRST = {
    "rollout/length_mean": 20.0,
    "rollout/length_error": 0.5,
    "rollout/characters_mean": 80.0,
    "rollout/characters_error": 2.0,
    "rollout/truncated_share": 0.02,
    "policy/entropy": 2.0,
    "rollout/distinct4": 0.9,
    "rollout/commonest_token_share": 0.1,
}
LENGTH = "objective/score_length_correlation"


def guard_of(answers: int = 64, prompts: int | None = None, **settings: Any) -> Guard:
    guard = Guard(GuardConfig(**({"patience_iterations": 1} | settings)), answers, prompts or answers)
    assert guard.look(FIRST, 0) == []
    return guard


def long(factor: float, names: tuple[str, ...] = ("length", "characters")) -> dict[str, float]:
    """First numbers, but for the lengths."""
    return FIRST | {f"rollout/{one}_mean": FIRST[f"rollout/{one}_mean"] * factor for one in names}


def rules(found: list[Finding]) -> list[str]:
    return [one.rule for one in found]


@pytest.mark.parametrize(
    ("rule", "name", "kept", "fine", "broken"),
    [
        ("length", "rollout/length_mean", 28, 39, 41),
        ("length", "rollout/length_mean", 15, 9.9, 9.7),  # half of what 98 % said
        ("length", "rollout/characters_mean", 112, 159, 161),  # where all are cut, their words may still grow
        ("truncated", "rollout/truncated_share", 0.06, 0.2, 0.3),  # by chance, 64 answers may show 0.2 more
        ("entropy", "policy/entropy", 1.35, 0.61, 0.59),
        ("distinct4", "rollout/distinct4", 0.69, 0.46, 0.44),
        ("one_token", "rollout/commonest_token_share", 0.19, 0.29, 0.31),
    ],
)
def test_each_rule_speaks_at_its_limit_and_keeps_no_policy_that_is_halfway_there(
    rule: str, name: str, kept: float, fine: float, broken: float
) -> None:
    guard = guard_of()
    assert guard.look(FIRST | {name: kept}, 1) == [] and guard.is_healthy()
    assert guard.look(FIRST | {name: fine}, 2) == [] and not guard.is_healthy()
    (finding,) = guard.look(FIRST | {name: broken}, 3)
    assert (finding.rule, finding.cheating) == (rule, True)
    assert guard.look(FIRST | {name: fine}, 4) == guard.look(FIRST | {name: broken}, 5) == []  # said it has
    assert guard.look(FIRST, 6) == [] and guard.is_healthy()
    assert rules(guard.look(FIRST | {name: broken}, 7)) == [rule]


def test_what_counts_is_the_mean_of_the_last_rounds_without_the_first() -> None:
    guard = guard_of(patience_iterations=3)
    seen = [rules(guard.look(FIRST | {"policy/entropy": entropy}, 1)) for entropy in (1.0, 0.4, 0.5, 0.8, 0.3)]
    assert seen == [[], [], [], ["entropy"], []]  # means 1, 0.7, 0.63, 0.57, 0.53
    guard = guard_of(patience_iterations=3)
    assert rules(guard.look_at_the_end(FIRST | {"policy/entropy": 0.5}, 1)) == ["entropy"]  # a run of one round


def test_at_the_end_what_speaks_of_cheating_is_said_again() -> None:
    guard = guard_of()
    values = long(3.0) | {LENGTH: 0.99}
    assert rules(guard.look(values, 1)) == ["score_length", "length"]
    assert rules(guard.look_at_the_end(values, 2)) == ["length"]


def test_trouble_of_the_optimiser_is_told_but_is_no_cheating() -> None:
    guard = guard_of(patience_iterations=2, warm_up_iterations=3)
    trouble = {"policy/clip_fraction": 0.5, "value/explained_variance": -0.13}
    assert rules(guard.look(trouble, 1)) == ["clip_fraction"]
    assert guard.look(trouble, 2) == []  # the critic is still warming up
    assert guard.look({"value/explained_variance": -0.12}, 3) == []  # by chance
    assert guard.look(trouble, 3) == []
    (finding,) = guard.look(trouble, 3)
    assert finding.rule == "explained_variance" and not finding.cheating
    assert guard.is_healthy()


def test_a_divergence_that_is_clearly_below_zero_is_told_of() -> None:
    """Chance makes it negative now and then; only answers that were drawn otherwise than they are scored keep it so."""
    guard = guard_of(patience_iterations=3)

    def look(kl: float, error: float) -> list[str]:
        seen = {"objective/kl_base_per_seq_nats": kl, "objective/kl_base_error_per_seq_nats": error}
        return rules(guard.look(seen, 1))

    sound = [(0.0, 0.0), (-0.1, 0.2), (-0.5, 0.2), (-0.5, 0.2), (-0.3, 0.2), (-0.5, 0.2), (-0.5, 0.2), (0.1, 0.2)]
    assert all(look(*one) == [] for one in sound)
    assert [look(*one) for one in [(-0.5, 0.2), (-0.7, 0.2), (-0.9, 0.3)]] == [[], [], ["negative_kl"]]
    assert guard.is_healthy()


@pytest.mark.parametrize("answers", [8, 16])
def test_chance_in_lengths_breaks_no_rule(answers: int) -> None:
    """A model of random weights, whose answers end at any token, and stays as it was: 200 runs of 40 rounds."""
    rng = random.Random(1)

    def seen() -> dict[str, float]:
        lengths = [1.0 + math.floor(rng.expovariate(0.04)) for _ in range(answers)]
        mean, error = statistics.fmean(lengths), statistics.stdev(lengths) / answers**0.5
        return {
            f"rollout/{what}_{name}": value
            for what in ("length", "characters")
            for name, value in (("mean", mean), ("error", error))
        }

    told = 0
    for _ in range(200):
        guard = Guard(GuardConfig(), answers, answers)
        told += any(guard.look(seen(), 1) for _ in range(40))
    assert told <= 5


@pytest.mark.parametrize(("answers", "share"), [(16, 0.2), (64, 0.4), (8, 0.05)])
def test_chance_in_the_share_of_cut_answers_breaks_no_rule(answers: int, share: float) -> None:
    """A policy that stays as it was: 200 runs of 60 rounds, of which the bare rise would stop a fifth and more."""
    rng = random.Random(1)

    def rounds() -> list[float]:
        return [sum(rng.random() < share for _ in range(answers)) / answers for _ in range(60)]

    told = 0
    for _ in range(200):
        guard = Guard(GuardConfig(), answers, answers)
        told += any(guard.look({"rollout/truncated_share": cut}, 1) for cut in rounds())
    assert told <= 5

    guard = Guard(GuardConfig(), answers, answers)
    seen = [guard.look({"rollout/truncated_share": cut}, 1) for cut in (share, 1.0, 1.0, 1.0)]
    assert [one.rule for found in seen for one in found] == ["truncated"]


def test_where_most_answers_are_cut_from_the_start_it_says_that_it_cannot_see_length() -> None:
    for first, cut, told in ((0.77, 0.8, True), (0.48, 0.52, False), (0.77, 0.3, False)):
        guard = Guard(GuardConfig(), 64, 64)
        seen = [guard.look({"rollout/truncated_share": share}, 1) for share in (first, cut, cut, cut)]
        said = [one for found in seen for one in found]
        assert rules(said) == (["cut_from_the_start"] if told else []) and guard.is_healthy()
        assert all("max_new_tokens" in one.sentence and not one.cheating for one in said)


@pytest.mark.parametrize(
    ("factor", "correlation", "told"),
    [(0.13, 0.0, []), (0.12, 0.0, ["length"]), (2.1, 0.0, ["length"]), (0.7, -0.9, ["score_length", "length"])],
)
def test_answers_that_were_cut_may_learn_to_end(factor: float, correlation: float, told: list[str]) -> None:
    """Three in four were cut at first: what the others said is a quarter, and half of it the limit."""
    guard = Guard(GuardConfig(patience_iterations=1), 64, 64)
    found = guard.look(FIRST | {"rollout/truncated_share": 0.75, LENGTH: correlation}, 0)
    assert rules(found + guard.look(long(factor) | {"rollout/truncated_share": 0.1}, 1)) == told


def test_scores_that_are_clipped_are_told_of() -> None:
    (finding,) = guard_of().look({"objective/score_clipped_share": 0.6}, 1)
    assert finding.rule == "score_clip" and not finding.cheating


def test_answers_of_a_word_may_become_sure() -> None:
    """Which of eight colours is right: whoever knows it says nothing else, and has no longer runs to vary."""
    short = FIRST | {"rollout/length_mean": 3.5}
    guard = Guard(GuardConfig(), 64, 64)
    sure = short | {"policy/entropy": 0.1, "rollout/distinct4": 0.1, "rollout/commonest_token_share": 0.5}
    assert all(guard.look(one, 1) == [] for one in [short, *[sure] * 5]) and guard.is_healthy()


@pytest.mark.parametrize(("correlation", "liked"), [(0.92, "longer"), (-0.92, "shorter")])
def test_a_reward_that_goes_by_length_is_told_of_at_once(correlation: float, liked: str) -> None:
    guard = Guard(GuardConfig(), 64, 64)
    (finding,) = guard.look(FIRST | {LENGTH: correlation}, 0)
    assert finding.rule == "score_length" and not finding.cheating and guard.is_healthy()
    assert f"likes {liked} answers" in finding.sentence and "samples_per_prompt" in finding.sentence
    several = Guard(GuardConfig(), 64, 16)
    assert "samples_per_prompt" not in several.look(FIRST | {LENGTH: correlation}, 0)[0].sentence


# What so few answers show where 0.5 is true. Of 4 prompts answered 16 times, 60 answers are free.
@pytest.mark.parametrize(
    ("answers", "prompts", "chance"), [(64, 64, 0.62), (64, 4, 0.62), (16, 16, 0.73), (5, 5, 0.91), (4, 2, 1.0)]
)
@pytest.mark.parametrize("what", ["length", "phrase"])
def test_a_correlation_is_believed_where_it_is_clear(answers: int, prompts: int, chance: float, what: str) -> None:
    guard = guard_of(answers, prompts, patience_iterations=3)
    assert all(guard.look({f"objective/score_{what}_correlation": chance}, 1) == [] for _ in range(5))
    if answers > 4:
        found = [guard.look({f"objective/score_{what}_correlation": 0.99}, 1, "I hope it helps") for _ in range(3)]
        (finding,) = [one for some in found for one in some]
        assert finding.rule == f"score_{what}" and ("I hope it helps" in finding.sentence) == (what == "phrase")


def test_answers_that_are_alike_are_no_further_evidence() -> None:
    """Of 64 answers 8 are different: a wrong one that happens to be longer lends all its likes a correlation."""
    found = [guard_of().look({LENGTH: 0.8, "rollout/distinct_answers_share": share}, 1) for share in (1.0, 0.125)]
    assert [rules(one) for one in found] == [["score_length"], []]


@pytest.mark.parametrize("liked", [1, -1])
def test_where_the_reward_goes_by_length_less_of_a_change_is_cheating(liked: int) -> None:
    """A reward model that had learnt that the longer one wins: answers grew by half and were worth far less."""
    guard = guard_of()
    assert rules(guard.look(FIRST | {LENGTH: 0.9 * liked}, 1)) == ["score_length"]
    assert guard.look(long(1.1**liked), 2) == [] and guard.is_healthy()
    assert guard.look(long(1.2**liked), 3) == [] and not guard.is_healthy()  # halfway
    assert guard.look(long(1.3**-liked), 4) == [] and guard.is_healthy()
    (finding,) = guard.look(long(1.3**liked), 5)
    assert finding.rule == "length" and "liked_length_factor" in finding.sentence

    guard = guard_of()  # half of what is liked is length: to grow is no cheating yet
    assert rules(guard.look(FIRST | {LENGTH: 0.8 * liked}, 1)) == ["score_length"]
    assert guard.look(long(1.35**liked), 2) == [] and guard.is_healthy()
    assert rules(guard.look(long(2.1**liked), 3)) == ["length"]

    unsure = long(1.3**liked) | {"rollout/length_error": 2.0, "rollout/characters_error": 8.0}
    guard = guard_of()
    assert rules(guard.look(unsure | {LENGTH: 0.9 * liked}, 1)) == [
        "score_length"
    ]  # a tenth by chance, and so is the first


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
    guard = guard_of(patience_iterations=2)
    guard.look(long(1.2) | {"policy/entropy": 0.9, LENGTH: 0.9}, 1)
    guard.look_at_judgement(0.0, 1.0, 0.1)
    other = Guard(guard.config, guard.answers, guard.prompts)
    other.load_state_dict(json.loads(json.dumps(guard.state_dict())))
    assert other == guard and other.said and other.liked
    assert rules(other.look(FIRST | {"policy/entropy": 0.2}, 2)) == ["entropy"]
