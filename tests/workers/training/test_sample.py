"""Sampling runs: every model answers every prompt, the same texts whatever the batches and however often stopped."""

import json
from contextlib import suppress

import pytest

from backend.domain.training import SampleConfig
from backend.domain.training_rows import PromptRow, SampledCompletion
from backend.errors import Invalid
from tests.workers.training.tiny import folder_of
from workers.training import sample
from workers.training.events import Event, Progress, Result, StateSaved
from workers.training.job import Job, read_rows, write_rows
from workers.training.ranks import Stopped


def job(folder, model, *, prompts=5, stop=lambda: False, names=("a", "b"), **config):
    rows = [
        PromptRow.model_validate({"id": f"p{i}", "prompt": [{"role": "user", "content": "ab " * (i % 3 + 1)}]})
        for i in range(prompts)
    ]
    write_rows(folder / "inputs" / "prompts.jsonl", rows)
    return Job(
        folder=folder,
        kind="sample",
        config=SampleConfig(models=names, max_new_tokens=6, **config),
        inputs={
            "prompts": str(folder / "inputs" / "prompts.jsonl"),
            "models": [{"model": name, "name": f"x/{name}", "folder": str(model)} for name in names],
        },
        seed=11,
        should_stop=stop,
    )


def result(events):
    assert isinstance(events[-1], Result)
    return events[-1].values


def written(folder):
    return list(read_rows(folder / "output" / "completions.jsonl", SampledCompletion))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return folder_of(tmp_path_factory.mktemp("model"), "llama")


def test_every_model_answers_every_prompt(tmp_path, model):
    events = list(sample.train(job(tmp_path, model, completions_per_prompt=2)))
    rows = written(tmp_path)
    assert len(rows) == 5 * 2 * 2
    assert {(row.prompt, row.model) for row in rows} == {(f"p{i}", name) for i in range(5) for name in "ab"}
    assert isinstance(events[-1], Result)
    for row in rows:
        assert row.token_ids is not None
        assert row.logprobs is not None
        assert len(row.token_ids) == len(row.logprobs) <= 6
        assert all(value <= 0 for value in row.logprobs)


def test_batches_do_not_change_the_texts(tmp_path, model):
    list(sample.train(job(tmp_path / "wide", model)))
    list(sample.train(job(tmp_path / "narrow", model, tokens_per_microbatch=16)))
    wide, narrow = written(tmp_path / "wide"), written(tmp_path / "narrow")
    assert [row.token_ids for row in wide] == [row.token_ids for row in narrow]


def test_a_stopped_run_goes_on_to_the_same_texts(tmp_path, model, monkeypatch):
    monkeypatch.setattr(sample, "PROMPTS_AT_ONCE", 2)
    list(sample.train(job(tmp_path / "whole", model)))
    looks = iter([False] * 10)  # one before each token: in the midst of a later part
    first: list[Event] = []
    with suppress(Stopped):
        first += (event for event in sample.train(job(tmp_path / "cut", model, stop=lambda: next(looks, True))))
    assert isinstance(first[-1], Progress)
    second = list(sample.train(job(tmp_path / "cut", model)))
    assert sum(isinstance(event, StateSaved) for event in first + second) == 6
    assert written(tmp_path / "cut") == written(tmp_path / "whole")


@pytest.mark.parametrize("left", [lambda kept: b"", lambda kept: kept[:99], lambda kept: kept.partition(b"\n")[2]])
def test_a_part_that_is_no_longer_whole_is_drawn_again(tmp_path, model, monkeypatch, left):
    monkeypatch.setattr(sample, "PROMPTS_AT_ONCE", 2)
    expected = result(list(sample.train(job(tmp_path, model))))
    texts, part = written(tmp_path), tmp_path / "state" / "001-00000002.jsonl"
    kept = part.read_bytes()
    part.write_bytes(left(kept))
    events = list(sample.train(job(tmp_path, model)))
    assert written(tmp_path) == texts and result(events) == expected
    assert part.read_bytes() == kept and sum(isinstance(event, StateSaved) for event in events) == 1


def test_prompts_without_room_for_an_answer_are_counted(tmp_path, model):
    events = list(sample.train(job(tmp_path, model, names=("a",))))
    assert result(events) == {"sample/completions": 5.0, "sample/prompts_too_long": 0.0}
    again = job(tmp_path / "long", model, names=("a",))
    said = {"long": "ab " * 5000, "short": "ab"}
    rows = [{"id": name, "prompt": [{"role": "user", "content": text}]} for name, text in said.items()]
    write_rows(tmp_path / "long" / "inputs" / "prompts.jsonl", [PromptRow.model_validate(row) for row in rows])
    assert result(list(sample.train(again))) == {"sample/completions": 1.0, "sample/prompts_too_long": 1.0}


def test_nothing_to_sample_is_refused(tmp_path, model):
    empty = job(tmp_path, model, prompts=0)
    with pytest.raises(Invalid, match="nothing to sample"):
        list(sample.train(empty))


def test_a_damaged_model_folder_is_named(tmp_path, model):
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "config.json").write_text(json.dumps({"model_type": "llama"}))
    with pytest.raises(Exception, match="broken"):
        list(sample.train(job(tmp_path, broken)))
