"""What a report says of a reward model's scores: calibration, confidence, length, agreement, intervals, by whom."""

import math
import random
from dataclasses import replace

import numpy as np
import pytest

from workers.training import reward_metrics
from workers.training.reward_metrics import Judged
from workers.training.reward_model import length_meter


def test_numbers_of_perfectly_calibrated_scores() -> None:
    rng = np.random.default_rng(0)
    lead = rng.normal(0, 1.5, 40_000)
    score = (rng.random(40_000) < 1 / (1 + np.exp(-lead))).astype(float)
    assert reward_metrics.calibration_error(lead, score) < 0.02
    assert reward_metrics.temperature(lead, score) == pytest.approx(1.0, abs=0.03)
    assert reward_metrics.temperature(3 * lead, score) == pytest.approx(3.0, abs=0.1)
    # By far too sure of itself: 8 of 10 are right, whose log-odds are ln 4.
    sure, said = np.array([40.0] * 8 + [-40.0] * 2), np.ones(10)
    assert reward_metrics.temperature(sure, said) == pytest.approx(40 / math.log(4))
    assert reward_metrics.calibration_error(3 * lead, score) > 0.1
    bins = reward_metrics.reliability(lead, score)
    assert [one.pairs for one in bins] == [4000] * 10
    assert bins == sorted(bins, key=lambda one: one.expected)
    assert all(abs(one.won - one.expected) < 0.04 for one in bins), "five standard errors of 4,000 throws"
    assert (
        reward_metrics.reliability(3 * lead, score)[-1].won
        < 0.98
        < 0.99
        < reward_metrics.reliability(3 * lead, score)[-1].expected
    )
    turned = np.where(rng.random(40_000) < 0.5, 1, -1)
    assert reward_metrics.brier(lead, score) == pytest.approx(
        reward_metrics.brier(lead * turned, np.where(turned > 0, score, 1 - score))
    )
    assert reward_metrics.log_loss(np.zeros(4), score[:4]) == pytest.approx(math.log(2))
    assert reward_metrics.brier(np.zeros(4), score[:4]) == pytest.approx(0.25)
    assert reward_metrics.log_loss(np.array([-900.0]), np.array([1.0])) == pytest.approx(900.0)


def test_turning_pairs_round_changes_nothing_and_turning_scores_turns_accuracy() -> None:
    rng = random.Random(1)
    pairs = [
        Judged((i // 6, 0, i % 2 + 1), rng.gauss(0, 1), rng.choice((0.0, 0.5, 1.0)), float(rng.randint(-5, 5)))
        for i in range(300)
    ]
    turned = [Judged((p.pair[0], p.pair[2], p.pair[1]), -p.lead, 1 - p.label, -p.longer) for p in pairs]
    values = reward_metrics.report(pairs, rounds=100, seed=0)
    assert values == pytest.approx(reward_metrics.report(turned, rounds=100, seed=0))
    against = reward_metrics.report([replace(p, lead=-p.lead) for p in pairs], rounds=100, seed=0)
    assert against["accuracy"] == pytest.approx(1 - values["accuracy"])


def test_a_length_meter_is_found_out() -> None:
    rng = random.Random(2)
    lengths = [(rng.randint(1, 50), rng.randint(1, 50)) for _ in range(400)]
    meter = [
        Judged((i, 0, 1), float(a - b), float(rng.random() < 0.8) if a > b else float(rng.random() < 0.2), float(a - b))
        for i, (a, b) in enumerate(lengths)
        if a != b
    ]
    values = reward_metrics.report(meter, rounds=100, seed=0)
    assert values["no_better_than_length"] == 1.0 and values["score_length_correlation"] == pytest.approx(1.0)
    assert values["accuracy"] == values["longer_wins"] > 0.7
    said = length_meter(values)
    assert said and f"that the longer one wins {values['accuracy']:.0%}" in said
    said = length_meter(values | {"no_better_than_length": 0.0, "score_length_correlation": -0.92})
    assert said and "a correlation of -0.92" in said, "it foresees a pair more than length does, and is no better"
    honest = [
        Judged((i, 0, 1), rng.gauss(1, 1) * (1 if score else -1), score, float(a - b))
        for i, (a, b) in enumerate(lengths)
        for score in (float(rng.random() < 0.5),)
    ]
    values = reward_metrics.report(honest, rounds=100, seed=0)
    assert values["no_better_than_length"] == 0.0 and length_meter(values) is None


def test_confidence_and_the_agreement_of_people_by_hand() -> None:
    """Of one pair two said a and one b: each of the two finds one of two others with it, the third nobody."""
    split = [Judged((0, 0, 1), 2.0, 1.0, 0.0), Judged((0, 1, 0), -2.0, 0.0, 0.0), Judged((0, 0, 1), 2.0, 0.0, 0.0)]
    agreed = [Judged((0, 1, 2), 0.1, 0.0, 0.0), Judged((0, 1, 2), 0.1, 0.0, 0.0)]
    others = [Judged((1, 0, 1), 3.0, 1.0, 0.0), Judged((0, 1, 2), 0.1, 0.5, 0.0)]  # judged once; a tie
    values = reward_metrics.report(split + agreed + others, rounds=100, seed=0)
    assert values["agreement"] == pytest.approx((0.5 + 0.5 + 0 + 1 + 1) / 5) and values["agreement_judgments"] == 5.0
    assert values["accuracy"] == pytest.approx(3 / 6)
    assert (values["accuracy_surer"], values["accuracy_less_sure"]) == (1.0, 0.0)
    assert "agreement" not in reward_metrics.report(others, rounds=100, seed=0)


def test_the_interval_is_over_prompts() -> None:
    """Ten prompts of a hundred equal pairs know as little as ten pairs."""
    many = reward_metrics.bootstrap([[float(i % 2)] * 100 for i in range(10)], 2000, 0)
    few = reward_metrics.bootstrap([[float(i % 2)] for i in range(10)], 2000, 0)
    assert many == pytest.approx(few) and 0.1 <= many[0] < 0.35 and 0.65 < many[1] <= 0.9


def test_accuracy_is_told_by_who_judged_and_by_whose_answers() -> None:
    """Ann is always foretold, Bob never; answers of one model alone are a pair of their own. A tie is nobody's."""
    ann = [Judged((i, 0, 1), 1.0, 1.0, 0.0, "ann", ("m", "n")) for i in range(12)]
    bob = [Judged((i, 0, 1), 1.0, 0.0, 0.0, "bob", ("m", "m")) for i in range(3)]
    tie = Judged((0, 0, 1), 1.0, 0.5, 0.0, "cat", ("m", "n"))
    unknown = Judged((0, 0, 1), 1.0, 1.0, 0.0)
    told = reward_metrics.by_source([*bob, *ann, tie, unknown], rounds=100, seed=0)
    rows = told["annotator"]["rows"]
    assert [(row["of"], row["accuracy"], row["pairs"], row["prompts"]) for row in rows] == [
        ("ann", 1.0, 12, 12),
        ("bob", 0.0, 3, 3),
    ]
    assert 0.6 < rows[0]["low"] < rows[0]["high"] == 1.0 and 0.0 == rows[1]["low"] < rows[1]["high"] > 0.4
    assert [row["of"] for row in told["models"]["rows"]] == [("m", "n"), ("m", "m")]
    many = [Judged((0, 0, 1), 1.0, 1.0, 0.0, f"{i}") for i in range(reward_metrics.MOST_TOLD + 2)]
    assert reward_metrics.by_source(many, rounds=100, seed=0)["annotator"]["left_out"] == 2
    assert reward_metrics.by_source([unknown], rounds=100, seed=0) == {}
