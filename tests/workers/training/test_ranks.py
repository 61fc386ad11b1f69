"""A run among two gloo processes is the run of one: the same weights but for rounding, and everybody stops together."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import load_file

from backend.errors import Invalid
from backend.settings import Settings
from tests.workers.training.among_ranks import STOP, STOPPED, run
from tests.workers.training.language import say, write
from tests.workers.training.tiny import CPU, folder_of, shake
from workers import environment
from workers.attempt import launch_command
from workers.training import ranks
from workers.training.backbone import Backbone
from workers.training.heads import ScalarHead

pytestmark = pytest.mark.slow
REPOSITORY = Path(__file__).parents[3]
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--local-addr", "127.0.0.1", "--nproc-per-node", "2")
STEPS = {"epochs": 3.0, "learning_rate": 1e-2, "weight_decay": 0.1, "tokens_per_microbatch": 40, "save_every_s": 3600.0}


def torchrun(*folders: Path | str) -> None:
    """Runs in two ranks, one after the other; torch and transformers are loaded once for all of them."""
    command = [sys.executable, *TORCHRUN, "-m", "tests.workers.training.among_ranks", *map(str, folders)]
    ended = subprocess.run(
        command, cwd=REPOSITORY, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=300
    )
    assert ended.returncode == 0, ended.stderr[-4000:]


class Place:
    """A tiny model, what there is to learn for it, and runs of each kind alone and among two ranks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model = folder_of(folder / "model", "llama")
        words = [[f"w{3 + (number * step) % 26}" for step in (1, 3, 7, 11)] for number in range(23)]
        demonstrations = [
            {"prompt": say(" ".join(some[:2])), "completion": " ".join(some[2:] * (3 + number % 3))}
            for number, some in enumerate(words)
        ]
        self.demonstrations = write(folder / "demonstrations.jsonl", demonstrations)
        groups = [
            {
                "prompt_id": str(number),
                "prompt": say(" ".join(some[:2])),
                "split": "held_out" if number % 5 == 4 else "train",
                "completions": [
                    {"id": f"{number}-{i}", "text": " ".join(some[2:] * (1 + i)), "reward": 0.5 * i, "weight": 1.0}
                    for i in range(2 + number % 2)
                ],
                "outcomes": [{"a": 0, "b": 1, "score": float(number % 3 == 0), "judgment": str(number)}],
            }
            for number, some in enumerate(words)
        ]
        self.texts = write(
            folder / "texts.jsonl", [{"text": " ".join(some * (1 + number % 4))} for number, some in enumerate(words)]
        )
        prompts = [{"id": str(i), "prompt": say(" ".join(some[: 1 + i % 3]))} for i, some in enumerate(words[:7])]
        self.prompts = write(folder / "prompts.jsonl", prompts)
        self.reward = folder / "reward"
        backbone = Backbone.load(self.model, device=CPU, dtype=torch.float32)
        backbone.add_adapter("reward", rank=2, alpha=4, seed=1)
        shake(backbone, "reward", 2)
        backbone.save_adapter("reward", self.reward / "adapter")
        ScalarHead(backbone.hidden_size, seed=1).save(self.reward)
        self.groups = write(folder / "groups.jsonl", groups)

    def job(self, name: str, kind: str, config: dict[str, Any], *, devices: int, stop_after: int | None = None) -> Path:
        inputs: dict[str, Path] = {"model": self.model}
        if kind == "sft":
            inputs["demonstrations"] = self.demonstrations
        elif kind == "pretrain":
            inputs = {"texts": self.texts}
        elif kind == "reward_model":
            inputs["groups"] = self.groups
        elif kind == "ppo":
            inputs |= {"reward_model": self.reward, "judge": self.reward}
            inputs |= {"prompts": self.prompts, "judge_prompts": self.prompts}
        about: dict[str, Any] = {
            "kind": kind, "run": "r", "seed": 3, "config": {"seed": 3, "model": "x/m", "devices": devices} | config,
            "inputs": {name: str(path) for name, path in inputs.items()},
        }  # fmt: skip
        if stop_after is not None:
            about[STOP] = stop_after
        folder = self.folder / f"{name}-{devices}"
        folder.mkdir(exist_ok=True)
        (folder / "job.json").write_text(json.dumps(about))
        return folder


PPO = {
    "reward_model": "r", "iterations": 3, "episodes_per_iteration": 10, "max_new_tokens": 6, "lora_rank": 2,
    "minibatches": 3, "policy_learning_rate": 1e-2, "judge": "j", "judge_every_iterations": 2, "shown_samples": 1,
    "save_every_s": 3600.0,
}  # fmt: skip
SFT = STEPS | {"lora_rank": 2, "sample_prompts": 1, "held_out_share": 0.2}
REWARD = STEPS | {"reward_set": "1", "loss": "mixed", "prompts_per_step": 5, "bootstrap_rounds": 100}
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "sft": ("sft", SFT | {"demonstrations_per_step": 5, "keep": "last"}),
    # Each demonstration is a micro-batch of its own, and a sum of two is the same in either order.
    "exact": ("sft", SFT | {"demonstrations_per_step": 2, "tokens_per_microbatch": 16, "max_steps": 6, "keep": "last"}),
    # All weights, parted among the ranks.
    "full": ("sft", SFT | {"method": "full", "demonstrations_per_step": 5}),
    # A step of one text leaves the second rank without anything to learn.
    "pretrain": (
        "pretrain",
        STEPS
        | {"model": None, "hidden_size": 16, "layers": 2, "heads": 2, "vocabulary_size": 300, "max_steps": 8}
        | {"context_tokens": 32, "texts_per_step": 1, "held_out_share": 0.2, "learning_rate": 3e-3},
    ),
    "ppo": ("ppo", PPO | {"kl_controller": "leash", "kl_step_stop_per_token_nats": 0.02, "epochs": 3}),
    "kl-penalty": ("ppo", PPO | {"objective": "kl_penalty", "critic": "reward", "tokens_per_microbatch": 16}),
    "grpo": ("ppo", PPO | {"advantage_estimator": "group_relative", "samples_per_prompt": 2}),
    "reward": ("reward_model", REWARD | {"lora_rank": 2, "learning_rate": 1e-3}),
    # A step of one prompt leaves the second rank without anything to learn.
    "reward-full": (
        "reward_model",
        # Adam makes of the rounding of a gradient near 0 up to a step: with parted weights sums are in another order.
        REWARD | {"method": "full", "prompts_per_step": 1, "max_steps": 12, "learning_rate": 1e-4},
    ),
}

STOPS = {"sft": 20, "full": 30, "reward-full": 14, "ppo": 50}
"""Runs that the second rank wants to stop when it was asked so often."""


@pytest.fixture(scope="module", name="place")
def _place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    torch.set_num_threads(1)
    place = Place(tmp_path_factory.mktemp("ranks"))
    yield place
    shutil.rmtree(place.folder, ignore_errors=True)


@pytest.fixture(scope="module", name="compared")
def _compared(place: Place) -> Place:
    """Every kind of run, alone and in two ranks."""
    for name, (kind, config) in KINDS.items():
        run(place.job(name, kind, config, devices=1))
    stopped = [place.job(f"{name}-stopped", *KINDS[name], devices=2, stop_after=after) for name, after in STOPS.items()]
    whole = [place.job(name, kind, config, devices=2) for name, (kind, config) in KINDS.items()]
    torchrun(*whole, *stopped, *(f"{folder}+" for folder in stopped))
    for name, folder in zip(STOPS, stopped, strict=True):
        told = (folder / STOPPED / "events.jsonl").read_text().splitlines()
        last = json.loads(told[-1])
        assert last["type"] == "state" and last["step"] > 0, name
        shutil.copytree(folder / STOPPED / "state", place.job(f"{name}-stopped", *KINDS[name], devices=1) / "state")
    return place


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """Everything that the run has learnt and saved."""
    return {
        f"{file.relative_to(folder / 'output')}/{name}": tensor
        for file in sorted((folder / "output").rglob("*.safetensors"))
        for name, tensor in load_file(file).items()
    }


def metrics(folder: Path) -> list[dict[str, Any]]:
    """What was told of each step, without what only the machine decides."""
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    machine = ("time/", "memory/", "train/tokens_per_s", "rollout/tokens_per_s")
    told = [
        {"step": event.get("step", 0)} | {k: v for k, v in event["values"].items() if not k.startswith(machine)}
        for event in events
        if event["type"] in ("metrics", "result")
    ]
    return [{name: number for key, value in one.items() for name, number in flat(key, value)} for one in told]


def flat(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Each number of a table by a name of its own."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if parts is None:
        yield key, value
    for name, part in parts or ():
        yield from flat(f"{key}/{name}", part)


@pytest.mark.parametrize("name", KINDS)
def test_two_ranks_learn_what_one_does(compared: Place, name: str) -> None:
    one, two = compared.folder / f"{name}-1", compared.folder / f"{name}-2"
    alone, among = weights(one), weights(two)
    assert alone.keys() == among.keys()
    rounding = 0.0 if name == "exact" else 2e-5
    for key, tensor in alone.items():
        torch.testing.assert_close(among[key], tensor, atol=rounding, rtol=rounding, msg=key)
    learnt = [tensor for key, tensor in alone.items() if key.endswith("lora_B.weight")]  # 0 at the start
    assert name in ("full", "reward-full", "pretrain") or any(tensor.abs().max() > 1e-3 for tensor in learnt)
    for mine, theirs in zip(metrics(one), metrics(two), strict=True):
        assert mine == pytest.approx(theirs, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("name", STOPS)
def test_what_one_rank_stopped_goes_on_to_the_same_bits_and_alone_to_the_same_weights(
    compared: Place, name: str
) -> None:
    expected, again = weights(compared.folder / f"{name}-2"), weights(compared.folder / f"{name}-stopped-2")
    assert all(torch.equal(again[key], tensor) for key, tensor in expected.items())
    run(alone := compared.folder / f"{name}-stopped-1")
    for key, tensor in weights(alone).items():
        torch.testing.assert_close(tensor, expected[key], atol=2e-5, rtol=2e-5, msg=key)


def test_more_devices_than_there_are_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(Invalid, match="devices is 4, but this machine has 2") as caught:
        ranks.join(4)
    assert caught.value.field == "devices"


# -- started as the worker does ---------------------------------------------------------------------------------------


def start(folder: Path) -> subprocess.Popen[bytes]:
    variables = environment.for_trainer(Settings(run_threads=1))
    command = launch_command(folder)
    assert "torch.distributed.run" in command
    return begin(command, folder, variables)


def start_stand_in(what: str, folder: Path) -> subprocess.Popen[bytes]:
    """The same with a trainer that computes nothing, and so has little to load."""
    command = launch_command(folder)
    command[command.index("workers.training.launch") :] = ["tests.workers.training.among_ranks", what, str(folder)]
    return begin(command, folder, environment.for_trainer(Settings(run_threads=1)))


def begin(command: list[str], folder: Path, variables: dict[str, str]) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, stdin=pipe, stdout=pipe, stderr=pipe, env=variables, process_group=0)


def finish(process: subprocess.Popen[bytes]) -> tuple[list[dict[str, Any]], str]:
    """What it still tells until it ends, with its standard input held open as a worker does; and its log."""
    held, process.stdin = process.stdin, None
    out, log = process.communicate(timeout=100)
    if held is not None:
        held.close()
    return [json.loads(line) for line in out.splitlines()], log.decode()


def until(process: subprocess.Popen[bytes], type: str, step: int = 0) -> list[dict[str, Any]]:
    """What it tells up to the first such message."""
    told: list[dict[str, Any]] = []
    assert process.stdout is not None
    for line in process.stdout:
        told.append(json.loads(line))
        if told[-1]["type"] == type and told[-1]["step"] >= step:
            break
    return told


def ranks_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    children = psutil.Process(process.pid).children(recursive=True)
    found = [
        one for one in children if {"workers.training.launch", "tests.workers.training.among_ranks"} & {*one.cmdline()}
    ]
    assert len(found) == 2
    return found


def close(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


LONG = SFT | {"epochs": 900.0, "max_steps": 4000, "evaluate_every_steps": 10_000}


def test_told_to_stop_all_ranks_save_one_state_and_one_rank_alone_goes_on(place: Place) -> None:
    folder = place.job("stopped", "sft", LONG, devices=2)
    process = start(folder)
    told = until(process, "metrics", 2)
    process.send_signal(signal.SIGTERM)
    more, log = finish(process)
    told += more
    steps = [one["step"] for one in told if one["type"] == "metrics" and "train/loss" in one["values"]]
    assert steps == list(range(1, len(steps) + 1)), log  # one rank speaks
    assert told[-1] == {"type": "state", "step": steps[-1]} and not any(one["type"] == "error" for one in told)
    about = json.loads((folder / "job.json").read_text())
    (folder / "job.json").write_text(json.dumps(about | {STOP: 2}))  # once it has encoded
    run(folder)  # alone, and stops at once, where it was
    again = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    assert again[-1] == {"type": "state", "step": steps[-1]}


@pytest.mark.parametrize("how", ["the worker's pipe ends", "torchrun is killed"])
def test_no_rank_outlives_the_worker(place: Place, how: str) -> None:
    process = start_stand_in("--endless", place.job("left", "sft", LONG, devices=2))
    until(process, "metrics", 1)
    both = ranks_of(process)
    if how == "torchrun is killed":
        process.kill()
    else:
        assert process.stdin is not None
        process.stdin.close()
    _, alive = psutil.wait_procs(both, timeout=20)
    assert not alive
    process.wait(timeout=40)
    assert process.returncode not in (0, 75)
    close(process)


def test_a_rank_that_is_killed_ends_the_run_with_a_sentence(place: Place) -> None:
    process = start(place.job("killed", "sft", LONG, devices=2))
    until(process, "metrics", 1)
    ranks_of(process)[1].kill()
    began = time.monotonic()
    told, log = finish(process)
    assert process.returncode not in (0, 75) and time.monotonic() - began < 40
    error = next(one for one in told if one["type"] == "error")
    assert "Another process of this run ended" in error["message"], log


def test_the_error_of_one_rank_is_the_run_s(place: Place) -> None:
    process = start_stand_in("--fail", place.job("failing", "sft", LONG, devices=2))
    told, log = finish(process)
    errors = [one["message"] for one in told if one["type"] == "error"]
    assert process.returncode == 1 and errors[0] == "Rank 1 cannot go on."
    assert [one["phase"] for one in told if one["type"] == "progress"] == ["loading", "load"]
    assert "[rank 0] seen in the log" in log and "[rank 1] seen in the log" in log
