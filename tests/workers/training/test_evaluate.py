"""Evaluation: a model against itself ties everywhere at KL 0; a shifted one is measured as exact sums say."""

import math

import numpy as np
import pytest
import torch

from backend.domain.training import EvaluateConfig
from backend.domain.training_rows import DemonstrationRow, PromptRow, RewardGroup
from backend.errors import Invalid
from tests.workers.training.tiny import CPU, folder_of, shake
from workers.training import evaluate
from workers.training.backbone import Backbone
from workers.training.contest import by_comparing, by_scores, table
from workers.training.events import Result, Sample
from workers.training.heads import ScalarHead
from workers.training.job import Job, write_rows
from workers.training.reward_metrics import bootstrap
from workers.training.tokens import Codec


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    model = folder_of(root / "model", "llama")
    other = folder_of(root / "other", "llama", seed=5)
    backbone = Backbone.load(model, device=CPU, dtype=torch.float32)
    backbone.add_adapter("reward", rank=2, alpha=4.0, seed=3)
    shake(backbone, "reward", seed=4)
    backbone.save_adapter("reward", root / "rm" / "adapter")
    ScalarHead(backbone.hidden_size, seed=2).save(root / "rm")
    return {"model": model, "other": other, "rm": root / "rm"}


def job(folder, folders, *names, groups=None, **config):
    prompts = [
        PromptRow.model_validate({"id": f"p{i}", "prompt": [{"role": "user", "content": f"w{i + 3} w4"}]})
        for i in range(12)
    ]
    write_rows(folder / "prompts.jsonl", prompts)
    inputs = {
        "prompts": str(folder / "prompts.jsonl"),
        "models": [{"model": str(i), "name": f"m{i}", "folder": str(folders[n])} for i, n in enumerate(names)],
        "reward_model": str(folders["rm"]),
        "reward_model_backbone": str(folders["model"]),
    }
    if groups is not None:
        write_rows(folder / "groups.jsonl", groups)
        inputs["groups"] = str(folder / "groups.jsonl")
    settings = EvaluateConfig(models=names, max_new_tokens=6, bootstrap_rounds=200, **config)
    return Job(folder=folder, kind="evaluate", config=settings, inputs=inputs, seed=7)


def result(events):
    assert isinstance(events[-1], Result)
    return events[-1].values


def test_a_model_ties_with_itself(tmp_path, folders):
    values = result(list(evaluate.train(job(tmp_path, folders, "model", "model", samples_per_prompt=2))))
    assert values["evaluate/win_rate:m1"] == 0.5
    low, high = values["evaluate/win_rate_low:m1"], values["evaluate/win_rate_high:m1"]
    assert 0.35 < low < 0.5 < high < 0.65  # other prompts might not have been ties
    assert values["evaluate/kl_reference_per_seq_nats:m0"] == pytest.approx(0, abs=1e-4)
    assert values["evaluate/score_mean:m0"] == values["evaluate/score_mean:m1"]


def test_another_model_has_a_distance_and_its_own_texts(tmp_path, folders):
    events = list(evaluate.train(job(tmp_path, folders, "model", "other", shown_prompts=3)))
    values = result(events)
    assert values["evaluate/kl_reference_per_seq_nats:m1"] > 0.1
    samples = [event for event in events if isinstance(event, Sample)]
    assert len(samples) == 3 * 2
    assert {"score", "kl"} <= samples[0].values.keys()


def test_swapping_the_models_turns_the_win_rate_round(tmp_path, folders):
    one = result(list(evaluate.train(job(tmp_path / "1", folders, "model", "other"))))
    two = result(list(evaluate.train(job(tmp_path / "2", folders, "other", "model"))))
    assert one["evaluate/win_rate:m1"] == pytest.approx(1 - two["evaluate/win_rate:m1"])


def test_accuracy_turns_with_the_labels(tmp_path, folders):
    def groups(flip):
        return [
            RewardGroup.model_validate(
                {
                    "prompt_id": f"g{i}",
                    "prompt": [{"role": "user", "content": f"w{i + 3}"}],
                    "completions": [{"id": "a", "text": f"w{i + 5} w6"}, {"id": "b", "text": f"w{i + 9} w7 w8"}],
                    "outcomes": [{"a": 0, "b": 1, "score": flip}, {"a": 0, "b": 1, "score": 0.5}],
                }
            )
            for i in range(9)
        ]

    ones = result(
        list(evaluate.train(job(tmp_path / "1", folders, "model", groups=groups(1), reward_set="x", reward_model="y")))
    )
    zeros = result(
        list(evaluate.train(job(tmp_path / "0", folders, "model", groups=groups(0), reward_set="x", reward_model="y")))
    )
    name = "evaluate/reward_model_accuracy"
    assert ones[name] == pytest.approx(1 - zeros[name])
    assert ones[f"{name}_pairs"] == 9
    assert ones[f"{name}_low"] <= ones[name] <= ones[f"{name}_high"]


def test_accuracy_is_told_by_annotator_and_by_pair_of_models(tmp_path, folders):
    def group(number, wrote):
        said = [("ann", 1.0), ("ann", 0.0), ("bob", 1.0), ("bob", 1.0), ("bob", 0.5), (None, 1.0)]
        return RewardGroup.model_validate(
            {
                "prompt_id": f"g{number}",
                "prompt": [{"role": "user", "content": f"w{number + 3}"}],
                "completions": [
                    {"id": "a", "text": f"w{number + 5} w6", "model": wrote},
                    {"id": "b", "text": f"w{number + 9} w7 w8", "model": "m"},
                ],
                "outcomes": [{"a": 0, "b": 1, "score": score, "annotator": who} for who, score in said],
            }
        )

    groups = [group(number, "m" if number == 0 else "z") for number in range(4)]
    events = list(
        evaluate.train(
            job(tmp_path, folders, "model", groups=groups, reward_set="x", reward_model="y", temperature=0.0)
        )
    )
    assert isinstance(events[-1], Result)
    values, tables = events[-1].values, events[-1].tables["accuracy_by"]
    people, pairs = ({str(row["of"]): row for row in tables[by]["rows"]} for by in ("annotator", "models"))
    assert people["ann"]["accuracy"] == 0.5 and people["ann"]["pairs"] == people["bob"]["pairs"] == 8
    assert {of: (row["pairs"], row["prompts"]) for of, row in pairs.items()} == {
        "('m', 'z')": (15, 3),
        "('m', 'm')": (5, 1),
    }
    # Of the five of a prompt one contradicts another, and the others all say the same.
    whole = values["evaluate/reward_model_accuracy"]
    assert whole == pytest.approx((8 * 0.5 + 12 * people["bob"]["accuracy"]) / 20)
    assert whole == pytest.approx((15 * pairs["('m', 'z')"]["accuracy"] + 5 * pairs["('m', 'm')"]["accuracy"]) / 20)


def test_nothing_to_evaluate_is_refused(tmp_path, folders):
    empty = job(tmp_path, folders, "model")
    (tmp_path / "prompts.jsonl").write_text("")
    with pytest.raises(Invalid, match="nothing to evaluate"):
        list(evaluate.train(empty))


def test_the_bootstrap_draws_whole_prompts():
    """Ten equal answers to each of two prompts are two observations."""
    assert bootstrap([[1.0] * 10, [0.0] * 10], rounds=4000, seed=0) == pytest.approx((0.06, 0.94), abs=0.02)
    low, high = bootstrap([[1.0], [0.0]] * 50, rounds=500, seed=0)
    assert 0.35 < low < 0.5 < high < 0.65


def test_few_prompts_that_were_all_won_are_no_proof_that_all_are():
    """Of plain wins it is Jeffreys' interval: of 8 out of 8 the quantile 0.025 of Beta(8.5, 0.5) and 1."""
    assert bootstrap([[1.0]] * 8, rounds=4000, seed=0) == pytest.approx((0.739, 1.0), abs=0.03)
    assert bootstrap([[0.0]] * 8, rounds=4000, seed=0) == pytest.approx((0.0, 0.261), abs=0.03)


def test_nineteen_of_twenty_intervals_hold_the_truth():
    truth, held = 0.9, 0
    for seed in range(200):
        won = np.random.default_rng(seed).random(8) < truth
        low, high = bootstrap([[float(one)] for one in won], rounds=200, seed=seed)
        held += low <= truth <= high
    assert held >= 0.9 * 200  # a bootstrap that only draws again holds it in half of them


def test_a_table_of_who_wins_against_whom_by_hand():
    scores = [[1.0, 2.0, 3.0, 4.0], [2.0, 2.0, 1.0, 1.0]]
    wins = by_scores(scores, tie_margin=0.0, samples_per_prompt=2)
    assert wins(0, 1) == [[0.0, 0.5], [1.0, 1.0]]
    made = table("reward_model", ["a", "b"], wins, rounds=200, seed=0)
    assert made["rate"] == [[None, 0.625], [0.375, None]]
    assert made["low"][0][1] < 0.25 and made["high"][0][1] > 0.9  # two prompts tell little
    assert made["low"][1][0] == 1 - made["high"][0][1]


def test_a_judge_that_leans_to_what_stands_first_is_asked_both_ways_round():
    def leaning(one, other):
        return [0.9] * 4  # whatever stands first is better

    assert by_comparing(leaning, samples_per_prompt=1)(0, 1) == [[pytest.approx(0.5)]] * 4


def test_further_judges_have_win_rates_of_their_own(tmp_path, folders, monkeypatch):
    (tmp_path / "judges.py").write_text(
        "def length(prompts, completions):\n    return [len(one) for one in completions]\n"
        "def shorter(prompts, completions, others):\n"
        "    return [float(len(a) < len(b)) + 0.5 * (len(a) == len(b)) for a, b in zip(completions, others)]\n"
    )
    monkeypatch.setenv("PODIUM_SCORERS_DIR", str(tmp_path))
    scorers = (
        {"name": "long", "python": "judges.py:length"},
        {"name": "shorter", "python": "judges.py:shorter", "compares": True},
    )
    events = list(evaluate.train(job(tmp_path, folders, "model", "other", scorers=scorers)))
    values, last = result(events), events[-1]
    assert isinstance(last, Result)
    tables = last.tables["win_rates"]
    assert [one["judge"] for one in tables] == ["reward_model", "long", "shorter"]
    assert tables[1]["rate"][0][1] == pytest.approx(tables[2]["rate"][1][0])  # one likes long answers, one short ones
    assert values["evaluate/long_win_rate:m1"] == tables[1]["rate"][1][0]
    assert values["evaluate/long_win_rate_low:m1"] <= values["evaluate/long_win_rate:m1"]
    assert values["evaluate/long_mean:m0"] > 0 and "evaluate/shorter_mean:m0" not in values


def test_perplexity_is_that_of_the_exact_sum(tmp_path, folders):
    rows = [
        DemonstrationRow(prompt=({"role": "user", "content": f"w{i + 3} w4"},), completion=f"w{i} w9") for i in range(3)
    ]
    write_rows(tmp_path / "demonstrations.jsonl", rows)
    one = job(tmp_path, folders, "model", "other")
    one.inputs["demonstrations"] = str(tmp_path / "demonstrations.jsonl")
    values = result(list(evaluate.train(one)))
    backbone = Backbone.load(folders["model"], device=CPU, dtype=torch.float32)
    codec = Codec(backbone.tokenizer)
    nats, tokens = 0.0, 0
    for row in rows:
        encoded = codec.encode_demonstration(row.prompt, row.completion)
        assert encoded is not None
        ids = torch.tensor([encoded.ids])
        with torch.no_grad():
            logprobs = backbone.model(ids).logits[0].log_softmax(-1)
        learnt = range(encoded.prompt_length, len(encoded.ids))
        nats -= float(sum(logprobs[place - 1, encoded.ids[place]] for place in learnt))
        tokens += len(learnt)
    assert values["evaluate/perplexity:m0"] == pytest.approx(math.exp(nats / tokens), rel=1e-4)
    size = sum(len(row.completion) for row in rows)
    assert values["evaluate/bits_per_byte:m0"] == pytest.approx(nats / size / math.log(2), rel=1e-4)
