"""Pretraining and fine-tuning, data to folder: they learn, they end, they resume to the bit, they stop when asked."""

import json
import random
from dataclasses import replace

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.pytorch_utils import Conv1D

from backend.domain.digests import digest
from backend.domain.rewards import split
from backend.domain.training import SFTConfig, read_config
from backend.domain.training_rows import DemonstrationRow
from backend.errors import Invalid, NotFound
from tests.workers.training import runs_of_all_kinds
from tests.workers.training.language import COLOURS, SHAPE, dialogues, job, metrics, say, sentences, write
from tests.workers.training.tiny import FAMILIES, folder_of, model_of
from workers.training import job as jobs
from workers.training import likelihood, pretrain, sft, supervised
from workers.training.backbone import Backbone
from workers.training.digests import digest_of
from workers.training.events import Progress, Result, Sample, StateSaved, Warned
from workers.training.generation import Sampling, generate
from workers.training.tokens import Codec

CPU = torch.device("cpu")


@pytest.fixture(scope="module", name="base")
def _base(tmp_path_factory):
    """A model folder that pretraining made."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("pretrain")
    texts = write(folder / "texts.jsonl", [{"text": text} for text in sentences(200) + dialogues(400)])
    config = SHAPE | {"epochs": 6.0, "texts_per_step": 32, "held_out_share": 0.1, "learning_rate": 1e-2}
    one = job(folder, "pretrain", config, texts=texts)
    events = list(pretrain.train(one))
    return one.output, events


def demonstrations(folder, count: int, *, answer=lambda i: f"It is {COLOURS[i % 8]}."):
    rows = [{"prompt": say(f"What colour is number {i}?"), "completion": answer(i)} for i in range(count)]
    return write(folder / "demonstrations.jsonl", rows)


def test_pretraining_learns_and_leaves_a_model_that_loads(base) -> None:
    folder, events = base
    held_out = metrics(events, "held_out/loss")
    assert held_out[0][0] == 0 and held_out[0][1] > 5.0 and held_out[-1][1] < 2.5
    assert isinstance(events[-1], Result) and events[-1].values["held_out/loss"] == pytest.approx(held_out[-1][1])
    assert any(isinstance(event, Sample) for event in events)
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.pad_token_id != tokenizer.eos_token_id == model.generation_config.eos_token_id
    assert model.config.vocab_size == len(tokenizer) <= SHAPE["vocabulary_size"]
    about = json.loads((folder / "podium.json").read_text())
    assert about["kind"] == "pretrain" and about["weights_sha256"] == digest_of(folder)
    assert about["config"]["hidden_size"] == 32 and about["parent_sha256"] is None


def test_pretraining_goes_on_from_a_given_model(base, tmp_path) -> None:
    folder, _ = base
    texts = write(tmp_path / "texts.jsonl", [{"text": text} for text in sentences(80, seed=5)])
    config = {"model": "a/b", "max_steps": 2, "texts_per_step": 16, "learning_rate": 1e-4, "held_out_share": 0.2}
    more = list(pretrain.train(job(tmp_path, "pretrain", config, texts=texts, model=folder)))
    assert metrics(more, "held_out/loss")[0][1] < 3.0, "it starts from what was learnt"
    about = json.loads((tmp_path / "output" / "podium.json").read_text())
    assert about["parent_sha256"] == digest_of(folder)


def test_gpt2_can_be_pretrained_too(tmp_path) -> None:
    texts = write(tmp_path / "texts.jsonl", [{"text": text} for text in sentences(60)])
    config = SHAPE | {"architecture": "gpt2", "texts_per_step": 20, "learning_rate": 1e-2, "chat_template": False}
    events = list(pretrain.train(job(tmp_path, "pretrain", config, texts=texts)))
    losses = metrics(events, "train/loss")
    assert losses[-1][1] < losses[0][1]
    assert Backbone.load(tmp_path / "output", device=CPU, dtype=torch.float32).tokenizer.chat_template is None


@pytest.mark.parametrize(("method", "family"), [("full", "llama"), ("lora", "llama"), ("full", "gpt2")])
def test_eight_samples_are_learnt_by_heart_and_end_themselves(base, tmp_path, method, family) -> None:
    model, data = base[0], demonstrations(tmp_path, 8)
    if family == "gpt2":  # of random weights, that knows words only
        model = folder_of(tmp_path / "model", family)
        rows = [{"prompt": say(f"w{3 + i} w4"), "completion": f"w{11 + i} w{20 - i}"} for i in range(8)]
        data = write(tmp_path / "demonstrations.jsonl", rows)
    config = {
        "model": "a/b", "method": method, "epochs": 150.0, "demonstrations_per_step": 8, "held_out_share": 0.0,
        "learning_rate": 1e-2, "lora_rank": 32, "evaluate_every_steps": 1000, "schedule": "constant",
    }  # fmt: skip
    one = job(tmp_path, "sft", config, model=model, demonstrations=data)
    events = list(sft.train(one))
    losses = metrics(events, "train/loss")
    assert losses[-1][1] < 0.05 < losses[0][1]
    backbone = Backbone.load(one.output, device=CPU, dtype=torch.float32)
    codec = Codec(backbone.tokenizer)
    rows = [json.loads(line) for line in (tmp_path / "demonstrations.jsonl").read_text().splitlines()]
    demos = [DemonstrationRow.model_validate(row) for row in rows]
    answers = generate(
        backbone,
        [codec.encode_prompt(demo.prompt) for demo in demos],
        Sampling(max_new_tokens=24, temperature=0.0),
        keys=[(0, i) for i in range(8)],
    )
    assert [codec.decode(answer.ids) for answer in answers] == [demo.completion for demo in demos]
    assert all(answer.finish_reason == "stop" for answer in answers)


def test_lora_output_is_merged_and_keeps_the_adapter(base, tmp_path) -> None:
    config = {"model": "a/b", "method": "lora", "max_steps": 3, "held_out_share": 0.0, "learning_rate": 1e-2}
    one = job(tmp_path, "sft", config, model=base[0], demonstrations=demonstrations(tmp_path, 16))
    list(sft.train(one))
    merged = Backbone.load(one.output, device=CPU, dtype=torch.float32)
    parent = Backbone.load(base[0], device=CPU, dtype=torch.float32)
    parent.load_adapter("sft", one.output / "adapter")
    ids = torch.tensor([[5, 40, 90, 200, 7]])
    with torch.no_grad():
        with parent.role("sft"):
            expected = parent.logits(parent.hidden_states(ids, torch.ones_like(ids)))
        plain = parent.logits(parent.hidden_states(ids, torch.ones_like(ids)))
        found = merged.logits(merged.hidden_states(ids, torch.ones_like(ids)))
    assert torch.allclose(found, expected, atol=1e-4) and not torch.allclose(plain, expected, atol=1e-2)
    about = json.loads((one.output / "podium.json").read_text())
    assert about["parent_sha256"] == parent.digest() and about["weights_sha256"] == merged.digest()
    assert about["template_sha256"] == Codec(parent.tokenizer).template_sha256


def test_the_first_loss_is_that_of_the_given_model(base, tmp_path) -> None:
    """Summed by hand over the tokens of the completions alone, terminators included, over their count."""
    config = {"model": "a/b", "method": "full", "max_steps": 1, "held_out_share": 0.0, "demonstrations_per_step": 5}
    one = job(tmp_path, "sft", config, model=base[0], demonstrations=demonstrations(tmp_path, 5))
    loss = metrics(list(sft.train(one)), "train/loss")[0][1]
    backbone = Backbone.load(base[0], device=CPU, dtype=torch.float32)
    codec = Codec(backbone.tokenizer)
    total, count = 0.0, 0
    for row in one.rows("demonstrations", DemonstrationRow):
        before, answer = codec.encode_prompt(row.prompt), codec.encode_completion(row.completion)
        logprobs = backbone.model(input_ids=torch.tensor([before + answer])).logits[0].double().log_softmax(-1)
        total -= sum(float(logprobs[len(before) + i - 1, token].detach()) for i, token in enumerate(answer))
        count += len(answer)
    assert loss == pytest.approx(total / count, rel=1e-5)


def loss_of(folder, data, share: float) -> float:
    """Of the model in this folder on what a run of such demonstrations holds out."""
    config = {"model": "a/b", "epochs": 0.1, "max_steps": 1, "held_out_share": share, "learning_rate": 1e-9}
    again = job(folder.parent / "again", "sft", config, model=folder, demonstrations=data)
    return metrics(list(sft.train(again)), "held_out/loss")[0][1]


@pytest.mark.parametrize("method", ["full", "lora"])
def test_the_weights_that_held_out_answers_like_best_are_saved_though_it_was_stopped_later(
    base, tmp_path, method
) -> None:
    # Answers at random: to know some by heart makes the others less likely.
    rng = random.Random(3)
    data = demonstrations(tmp_path, 24, answer=lambda i: f"It is {rng.choice(COLOURS)}.")
    config = {
        "model": "a/b", "method": method, "epochs": 12.0, "demonstrations_per_step": 8, "held_out_share": 0.3,
        "learning_rate": 2e-2, "schedule": "constant", "evaluate_every_steps": 3, "sample_prompts": 1,
    }  # fmt: skip
    one = job(tmp_path / "best", "sft", config, model=base[0], demonstrations=data)
    first = list(runs_of_all_kinds.train_until(22, one))
    events = first + list(sft.train(one))
    held_out, result = dict(metrics(events, "held_out/loss")), events[-1]
    assert isinstance(result, Result)
    step = min(held_out, key=held_out.__getitem__)
    assert isinstance(first[-1], StateSaved) and step < first[-1].step < max(held_out)
    assert held_out[max(held_out)] > held_out[step] + 0.02, "it learnt for too long"
    assert (result.values["train/kept_step"], result.values["held_out/loss"]) == (step, held_out[step])
    assert loss_of(one.output, data, 0.3) == pytest.approx(held_out[step], abs=1e-4)
    last = job(tmp_path / "last", "sft", config | {"keep": "last"}, model=base[0], demonstrations=data)
    result = list(sft.train(last))[-1]
    assert isinstance(result, Result)
    assert result.values["train/kept_step"] == max(held_out)
    assert loss_of(last.output, data, 0.3) == pytest.approx(held_out[max(held_out)], abs=1e-4)


def test_a_model_that_only_got_worse_is_saved_as_it_was_and_the_page_says_so(base, tmp_path) -> None:
    data = demonstrations(tmp_path, 16)
    config = {"model": "a/b", "method": "full", "held_out_share": 0.3, "learning_rate": 1.0, "warmup_share": 0.0}
    one = job(tmp_path, "sft", config | {"epochs": 1.0}, model=base[0], demonstrations=data)
    events = list(sft.train(one))
    assert [event.rule for event in events if isinstance(event, Warned)] == ["no_better"]
    assert digest_of(one.output) == digest_of(base[0])


def test_the_weights_whose_answers_a_scorer_likes_best_are_saved(base, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PODIUM_SCORERS_DIR", str(tmp_path))
    (tmp_path / "taste.py").write_text("def score(prompts, completions):\n    return [-len(c) for c in completions]\n")
    config = {
        "model": "a/b", "epochs": 8.0, "demonstrations_per_step": 8, "held_out_share": 0.3, "learning_rate": 1e-2,
        "evaluate_every_steps": 2, "sample_prompts": 3, "keep": "highest_score",
        "scorers": [{"name": "brief", "python": "taste.py:score", "weight": 0.5}],
    }  # fmt: skip
    one = job(tmp_path, "sft", config, model=base[0], demonstrations=demonstrations(tmp_path, 24))
    events = list(sft.train(one))
    scores = dict(metrics(events, "samples/score"))
    assert scores == {step: 0.5 * score for step, score in metrics(events, "samples/score_of_brief")}
    assert len(set(scores.values())) > 1
    texts = [event.completion for event in events if isinstance(event, Sample) and event.step == 0]
    assert scores[0] == pytest.approx(-0.5 * sum(map(len, texts)) / len(texts))
    assert isinstance(events[-1], Result)
    assert events[-1].values["train/kept_step"] == max(scores, key=scores.__getitem__)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"keep": "highest_score"}, "needs a reward_model"),
        ({"scorers": [{"name": "a", "python": "a.py:f", "role": "judge"}]}, "none is a judge"),
        ({"scorers": [{"name": "a", "python": "a.py:f"}], "sample_prompts": 0}, "sample_prompts"),
    ],
)
def test_what_cannot_choose_weights_is_refused(config, said) -> None:
    with pytest.raises(Invalid, match=said):
        read_config("sft", {"model": "a/b"} | config)


def test_a_state_of_other_settings_is_refused(base, tmp_path) -> None:
    config = {"model": "a/b", "max_steps": 4, "epochs": 9.0, "held_out_share": 0.0}
    data = demonstrations(tmp_path, 8)
    looked = iter([False, True])
    one = job(tmp_path, "sft", config, model=base[0], demonstrations=data)
    events = list(sft.train(replace(one, should_stop=lambda: next(looked))))
    assert isinstance(events[-1], StateSaved)
    other = job(tmp_path, "sft", config | {"learning_rate": 0.5}, model=base[0], demonstrations=data)
    with pytest.raises(Invalid, match="other settings"):
        list(sft.train(other))
    assert isinstance(list(sft.train(one))[-1], Result)


def test_what_is_held_out_is_by_prompt_and_never_trained(base, tmp_path, monkeypatch) -> None:
    seen: list[int] = []
    original = supervised.Loop.__init__

    def spy(self, job, config, task, plan, named, **more):
        seen.append(task.items)
        original(self, job, config, task, plan, named, **more)

    monkeypatch.setattr(supervised.Loop, "__init__", spy)
    rows = [{"prompt": say(f"What is {i % 40}?"), "completion": f"It is {i}."} for i in range(120)]
    rows = [row for row in rows if split(digest(row["prompt"])) == "train"]  # as a project gives them
    data = write(tmp_path / "demonstrations.jsonl", rows)
    config = {"model": "a/b", "max_steps": 1, "held_out_share": 0.15}
    list(sft.train(job(tmp_path, "sft", config, model=base[0], demonstrations=data)))
    kept = len(rows) - seen[0]
    assert kept % 3 == 0 and 0 < kept < len(rows) / 2


def test_too_long_rows_are_dropped_counted_or_named(base, tmp_path) -> None:
    def answer(i: int) -> str:
        return "It is red. " * (30 if i == 3 else 3)

    data = demonstrations(tmp_path, 6, answer=answer)
    config = {"model": "a/b", "max_steps": 1, "held_out_share": 0.0}
    events = list(sft.train(job(tmp_path, "sft", config, model=base[0], demonstrations=data)))
    assert isinstance(events[-1], Result)
    assert events[-1].values["train/too_long"] == 1.0 and events[-1].values["train/demonstrations"] == 5.0
    with pytest.raises(Invalid, match=r"6 of 6 are longer than 8 tokens"):
        list(sft.train(job(tmp_path / "b", "sft", config | {"max_tokens": 8}, model=base[0], demonstrations=data)))


def test_bad_steps_change_nothing_and_end_the_run(base, tmp_path, monkeypatch) -> None:
    data = demonstrations(tmp_path, 8)
    config = {
        "model": "a/b",
        "method": "full",
        "epochs": 4.0,
        "demonstrations_per_step": 8,
        "held_out_share": 0.0,
        "max_bad_steps": 3,
    }
    bad_steps = {1}
    original = supervised.Loop._accumulate
    before: dict[int, list[torch.Tensor]] = {}

    def poisoned(self, batches):
        sums = original(self, batches)
        before[self.step] = [p.detach().clone() for p in self.parameters]
        if self.step in bad_steps:
            self.parameters[0].grad[0] = float("nan")
        return sums

    monkeypatch.setattr(supervised.Loop, "_accumulate", poisoned)
    events = list(sft.train(job(tmp_path, "sft", config, model=base[0], demonstrations=data)))
    assert [value for _, value in metrics(events, "train/skipped_steps")] == [0.0, 1.0, 1.0, 1.0]
    assert all(torch.equal(a, b) for a, b in zip(before[1], before[2], strict=True)), "a bad step changes nothing"
    assert not all(torch.equal(a, b) for a, b in zip(before[2], before[3], strict=True))
    bad_steps |= {0, 2, 3}
    with pytest.raises(Invalid, match="3 steps in a row"):
        list(sft.train(job(tmp_path / "b", "sft", config, model=base[0], demonstrations=data)))


def test_memory_that_runs_out_halves_the_batches(base, tmp_path, monkeypatch) -> None:
    data = demonstrations(tmp_path, 16)
    config = {"model": "a/b", "max_steps": 1, "held_out_share": 0.0, "demonstrations_per_step": 16}
    plain = list(sft.train(job(tmp_path / "a", "sft", config, model=base[0], demonstrations=data)))
    original = supervised.Loop._accumulate
    sizes = []

    def small(self, batches):
        sizes.append(len(batches))
        if max(batch.ids.numel() for batch in batches) > 256:
            raise torch.OutOfMemoryError
        return original(self, batches)

    monkeypatch.setattr(supervised.Loop, "_accumulate", small)
    events = list(sft.train(job(tmp_path / "b", "sft", config, model=base[0], demonstrations=data)))
    assert len(sizes) > 1 and sizes[-1] > 1
    assert metrics(events, "train/loss")[0][1] == pytest.approx(metrics(plain, "train/loss")[0][1], rel=1e-5)


def test_missing_inputs_are_named(base, tmp_path) -> None:
    config = {"model": "a/b"}
    with pytest.raises(NotFound, match="demonstrations"):
        list(sft.train(job(tmp_path, "sft", config, model=base[0])))
    empty = write(tmp_path / "empty.jsonl", [])
    with pytest.raises(Invalid, match="no demonstrations"):
        list(sft.train(job(tmp_path, "sft", config, model=base[0], demonstrations=empty)))
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"prompt": [{"role": "user", "content": "x"}], "completion": "y"}\n{"prompt": []}\n')
    with pytest.raises(Invalid, match=r"Line 2 of bad\.jsonl"):
        list(sft.train(job(tmp_path, "sft", config, model=base[0], demonstrations=bad)))
    assert isinstance(job(tmp_path, "sft", config).config, SFTConfig)


def test_of_thousands_held_out_only_some_are_watched_and_all_are_measured_at_the_end(
    base, tmp_path, monkeypatch
) -> None:
    """Every fourth while it learns; at the end all of them, under the weights that are saved."""
    few = demonstrations(tmp_path, 40)
    config = {"model": "a/b", "max_steps": 4, "demonstrations_per_step": 4, "held_out_share": 0.5, "keep": "last"}

    def numbers(name: str) -> tuple[list[tuple[int, float]], dict[str, float]]:
        one = job(tmp_path / name, "sft", config, model=base[0], demonstrations=few)
        events = list(sft.train(one))
        assert isinstance(events[-1], Result)
        return metrics(events, "held_out/tokens"), dict(events[-1].values)

    watched_all, expected = numbers("all")
    monkeypatch.setattr(likelihood, "WATCHED", 5)
    watched, result = numbers("some")
    assert {tokens for _, tokens in watched_all} == {expected["held_out/tokens"]}
    assert all(0 < tokens < expected["held_out/tokens"] / 2 for _, tokens in watched)
    assert result == pytest.approx(expected, rel=1e-5)


def test_encoding_says_how_far_it_is_and_stops_when_asked(base, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(jobs, "TELL_EVERY_S", 0.0)
    monkeypatch.setattr(jobs, "AT_ONCE", 1)
    one = job(tmp_path, "sft", {"model": "a/b"}, model=base[0], demonstrations=demonstrations(tmp_path, 4))
    asked = iter((False, False, True))
    stopped = runs_of_all_kinds.train(replace(one, should_stop=lambda: next(asked)))
    phases = [event.phase for event in stopped if isinstance(event, Progress)]
    assert phases == ["load", "encode", "encode, 25%", "encode, 50%"]


@pytest.mark.parametrize("family", FAMILIES)
def test_embeddings_norms_and_biases_do_not_decay(family: str) -> None:
    model = model_of(family)
    decaying, others = supervised.parameter_groups(list(model.named_parameters()), 0.1)
    layers = [m.weight for m in model.modules() if isinstance(m, torch.nn.Linear | Conv1D)]
    tied = model.get_input_embeddings().weight
    assert {id(p) for p in decaying["params"]} == {id(weight) for weight in layers if weight is not tied}
    assert len(decaying["params"]) + len(others["params"]) == len(list(model.parameters()))
    assert (decaying["weight_decay"], others["weight_decay"]) == (0.1, 0.0)


def test_some_of_many_are_taken_from_all_over() -> None:
    assert jobs.spread(range(10), 10) == range(10) and jobs.spread([], 3) == []
    assert list(jobs.spread(range(10), 4)) == [0, 3, 6, 9] and list(jobs.spread("abc", 9)) == ["a", "b", "c"]
