"""A vLLM server as the sampler: what it says is used, and what it gets wrong is caught before anything is learnt."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from backend.domain.training import read_config
from backend.domain.training.engine import EngineConfig
from backend.domain.training_rows import SampledCompletion
from backend.errors import Conflict, Invalid
from tests.workers.training import runs_of_all_kinds as runs
from tests.workers.training.language import metrics, say, write
from tests.workers.training.vllm_double import KEY, NAME, Double, serving
from workers.training.events import Result
from workers.training.job import Job, read_rows

COMPUTED_ALIKE = 1e-4
"""Between the trainer's own forward and that of transformers and peft, on a CPU in float32."""


@pytest.fixture(scope="module", name="models")
def _models(tmp_path_factory: pytest.TempPathFactory) -> runs.Models:
    torch.set_num_threads(1)
    return runs.make_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(name="server")
def _server(models: runs.Models) -> Iterator[Double]:
    with serving(models.one) as double:
        yield double


def ppo(
    folder: Path, models: runs.Models, server: Double, engine: dict[str, Any] | None = None, **settings: Any
) -> Job:
    usual = {"iterations": 3, "policy_learning_rate": 1e-2}
    return runs.job("ppo", folder, models, engine={"url": server.url} | (engine or {}), **(usual | settings))


def test_a_policy_learns_from_what_the_server_says(tmp_path: Path, models: runs.Models, server: Double) -> None:
    job = ppo(tmp_path, models, server, temperature=0.7, judge="j", judge_every_iterations=1)
    (tmp_path / "engine" / "podium-of-a-killed-attempt").mkdir(parents=True)
    job.inputs.update(judge=str(models.reward), judge_prompts=job.inputs["prompts"])
    events = list(runs.train(job))
    assert isinstance(events[-1], Result)
    for name in ("engine/canary_max_gap_nats", "rollout/sampler_gap_max_nats", "rollout/sampler_kl_per_token_nats"):
        assert len(seen := metrics(events, name)) == 3 and all(value < COMPUTED_ALIKE for _, value in seen), name
    # The policy moved in each round, and each time the server got it under a name that it had not heard before.
    assert metrics(events, "objective/kl_base_per_seq_nats")[-1][1] > 0.01
    assert len(server.loaded) == len(set(server.loaded)) >= 4
    assert list(server.models) == [NAME] and not list((tmp_path / "engine").iterdir()), "nothing is left behind"
    answers = [body for body in server.asked if "prompt_logprobs" not in body]
    assert all(body["temperature"] == 0.7 and body["ignore_eos"] for body in answers)
    assert len({body["seed"] for body in answers[:8]}) == 8, "answers to one prompt are drawn apart"


def test_a_stopped_run_goes_on_with_a_server_that_knows_nothing_of_it(
    tmp_path: Path, models: runs.Models, server: Double
) -> None:
    first = list(runs.train_until(1, ppo(tmp_path, models, server, iterations=2)))
    assert not isinstance(first[-1], Result)
    server.models = {NAME: server.base}
    second = list(runs.train(ppo(tmp_path, models, server, iterations=2)))
    assert isinstance(second[-1], Result) and [step for step, _ in metrics(second, "policy/loss")] == [2]


@pytest.mark.parametrize(
    ("answering_as", "nearer_to"),
    [
        (lambda server, name: NAME, "the model without its adapter"),
        (lambda server, name: server.loaded[min(1, len(server.loaded) - 1)], "the adapter of an earlier round"),
    ],
    ids=["it forgets adapters", "it keeps an old one"],
)
def test_stale_weights_end_the_run_before_anything_is_learnt_from_them(
    tmp_path: Path, models: runs.Models, server: Double, answering_as: Any, nearer_to: str
) -> None:
    kept: dict[str, Any] = {}

    def stale(name: str) -> str:
        wanted: str = answering_as(server, name)
        kept.setdefault(wanted, server.models.get(wanted))
        server.models.setdefault(wanted, kept[wanted])  # the trainer had it unloaded, but it was not
        return wanted

    server.answering_as = stale
    # Steps so small that no threshold would see them.
    job = ppo(tmp_path, models, server, policy_learning_rate=1e-3, iterations=6)
    events = []
    with pytest.raises(Conflict, match=f"answers with {nearer_to} and not with the policy as it is now"):
        events += list(runs.train(job))


def test_a_canary_has_room_behind_prompts_that_fill_the_model(
    tmp_path: Path, models: runs.Models, server: Double
) -> None:
    job = ppo(tmp_path, models, server, iterations=1)
    write(tmp_path / "inputs" / "prompts.jsonl", [{"id": "long", "prompt": say("w4 " * 200)}])
    assert isinstance(list(runs.train(job))[-1], Result)
    asked = [body for body in server.asked if "prompt_logprobs" in body]
    assert asked and all(len(body["prompt"]) + body["max_tokens"] <= 96 for body in asked)


def test_another_model_is_seen_before_the_first_round(tmp_path: Path, models: runs.Models) -> None:
    with serving(models.other) as server:
        with pytest.raises(Conflict, match="does not compute what the trainer does"):
            list(runs.train(ppo(tmp_path, models, server)))
        assert all("prompt_logprobs" in body for body in server.asked), "no answer was asked for"


def test_a_server_that_rounds_is_let_through_and_its_gap_is_told_as_often_as_asked(
    tmp_path: Path, models: runs.Models, server: Double
) -> None:
    noise = torch.Generator().manual_seed(0)

    def rounds(choice: dict[str, Any]) -> None:
        def off() -> float:
            return float(torch.randn((), generator=noise)) * 0.02

        for place in choice.get("prompt_logprobs", [])[1:]:
            for one in place.values():
                one["logprob"] += off()
        if choice["logprobs"]:
            choice["logprobs"]["token_logprobs"] = [value + off() for value in choice["logprobs"]["token_logprobs"]]

    server.tamper = rounds
    events = list(runs.train(ppo(tmp_path, models, server, {"canary_every_iterations": 3}, iterations=2)))
    assert sum("prompt_logprobs" in body for body in server.asked) == 6, "each of six prompts once"
    for name in ("engine/canary_mean_gap_nats", "rollout/sampler_gap_mean_nats"):
        assert all(0.008 < value < 0.03 for _, value in metrics(events, name)), name
    # k3 of log-ratios of deviation s is s² / 2
    assert all(0.5e-4 < value < 5e-4 for _, value in metrics(events, "rollout/sampler_kl_per_token_nats"))
    assert all(1 != value == pytest.approx(1, abs=0.01) for _, value in metrics(events, "engine/weight_mean"))
    assert isinstance(events[-1], Result)  # learnt from its own numbers: else the first ratios would not have been 1


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (lambda one: one.pop("token_ids"), "does not tell the ids"),
        (lambda one: one["token_ids"].pop(), "log-probabilities"),
        (lambda one: one.update(token_ids=[99] * len(one["token_ids"])), "a token that the model does not have"),
        (lambda one: one.update(finish_reason="stop", token_ids=[5] * len(one["token_ids"])), "ended an answer else"),
        (lambda one: one.update(prompt_token_ids=[2, *one["prompt_token_ids"]]), "read other tokens than it was sent"),
        (lambda one: one.update(prompt_logprobs=None), "does not tell the log-probabilities of a prompt"),
    ],
    ids=["no ids", "a number short", "unknown token", "no end", "other prompt", "no canary"],
)
def test_answers_of_another_form_are_named(
    tmp_path: Path, models: runs.Models, server: Double, tamper: Any, said: str
) -> None:
    server.tamper = tamper
    with pytest.raises(Invalid, match=said):
        list(runs.train(ppo(tmp_path, models, server)))


def test_a_key_is_sent_from_the_environment_and_only_from_where_keys_are(
    tmp_path: Path, models: runs.Models, server: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.key = KEY
    with pytest.raises(Invalid, match="refused the key"):
        list(runs.train(ppo(tmp_path / "none", models, server)))
    monkeypatch.setenv("ENGINE_API_KEY", KEY)
    events = list(runs.train(ppo(tmp_path / "some", models, server, {"api_key_env": "ENGINE_API_KEY"}, iterations=1)))
    assert isinstance(events[-1], Result)
    with pytest.raises(ValidationError, match="api_key_env"):
        EngineConfig(url=server.url, api_key_env="PODIUM_DATABASE_URL")


def test_completions_are_sampled_from_a_served_model(tmp_path: Path, models: runs.Models, server: Double) -> None:
    def sampled(folder: Path, temperature: float, **settings: Any) -> list[Any]:
        config = {"models": ("a",), "max_new_tokens": 6, "temperature": temperature} | settings
        job = runs.job("sample", folder, models)
        inputs = job.inputs | {"models": job.inputs["models"][:1]}
        list(runs.train(replace(job, config=read_config("sample", config), inputs=inputs)))
        return list(read_rows(job.output / "completions.jsonl", SampledCompletion))

    served = {"engine": {"url": server.url, "model": NAME}}
    there, here = sampled(tmp_path / "there", 0.0, **served), sampled(tmp_path / "here", 0.0)
    assert [row.token_ids for row in there] == [row.token_ids for row in here], "the likeliest tokens are the same"
    assert there[0].logprobs == pytest.approx(here[0].logprobs, abs=COMPUTED_ALIKE)
    assert len({row.token_ids for row in sampled(tmp_path / "drawn", 1.0, **served)}) > 8
    with serving(models.other) as other, pytest.raises(Conflict, match="does not compute what the trainer does"):
        sampled(tmp_path / "other", 1.0, engine={"url": other.url, "model": NAME})
    with pytest.raises(Invalid, match="engine needs its field model"):
        read_config("sample", {"models": ("a", "b")} | served)


def test_an_evaluation_lets_a_server_answer_for_one_of_its_models(
    tmp_path: Path, models: runs.Models, server: Double
) -> None:
    def evaluated(folder: Path, url: str | None, **settings: Any) -> Result:
        engines = [{"serves": "a", "url": url, "model": NAME}] if url else []
        *_, last = runs.train(runs.job("evaluate", folder, models, engines=engines, **settings))
        assert isinstance(last, Result)
        return last

    there, here = evaluated(tmp_path / "there", server.url), evaluated(tmp_path / "here", None)
    assert there.values == pytest.approx(here.values, abs=COMPUTED_ALIKE), "the likeliest tokens are the same"
    assert len(server.asked) > 24

    # However far off a server's log-probabilities are, KL is told by our own: of the reference to itself it is 0.
    server.tamper = lambda choice: choice.update(logprobs={"token_logprobs": [-9.0 for _ in choice["token_ids"]]})
    told = evaluated(tmp_path / "drawn", server.url, temperature=0.7).values
    assert told["evaluate/kl_reference_per_seq_nats:a"] == pytest.approx(0, abs=COMPUTED_ALIKE)
    assert told["evaluate/kl_reference_per_seq_nats:b"] > 0.1

    with serving(models.other) as other, pytest.raises(Conflict, match="does not compute what the trainer does"):
        evaluated(tmp_path / "other", other.url)
    for engine in ({"serves": "c", "model": NAME}, {"serves": "a"}):
        with pytest.raises(Invalid, match="engines"):
            read_config("evaluate", {"models": ("a", "b"), "engines": [{"url": server.url} | engine]})
