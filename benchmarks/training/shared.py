"""What both sides must agree on, and how both are measured. Standard library alone: TRL's Python reads it too."""

import argparse
import json
import os
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

LORA = {"rank": 16, "alpha": 32}
LONGEST = 512
"""Tokens of a demonstration, or of a prompt with a completion."""
ANSWER, GPU_ANSWER = 53, 256
"""Tokens of an answer in PPO. Nothing ends an answer early, so both sides write as many."""

MODELS: dict[str, dict[str, int]] = {
    "tiny": {  # 5M
        "vocabulary": 4096, "hidden": 256, "feed_forward": 512, "layers": 6, "heads": 4, "prompt": 64, "least": 32,
    },
    "small": {  # 110M
        "vocabulary": 32768, "hidden": 768, "feed_forward": 2048, "layers": 12, "heads": 12, "prompt": 64, "least": 32,
    },
    # For a GPU, in the shapes of Qwen 2.5, kept in bfloat16.
    "0.5b": {
        "vocabulary": 151936, "hidden": 896, "feed_forward": 4864, "layers": 24, "heads": 14, "key_heads": 2,
        "prompt": 256, "least": 192, "half": 1,
    },
    "1.5b": {
        "vocabulary": 151936, "hidden": 1536, "feed_forward": 8960, "layers": 28, "heads": 12, "key_heads": 2,
        "prompt": 256, "least": 192, "half": 1,
    },
    "7b": {
        "vocabulary": 152064, "hidden": 3584, "feed_forward": 18944, "layers": 28, "heads": 28, "key_heads": 4,
        "prompt": 256, "least": 192, "half": 1, "untied": 1,
    },
}  # fmt: skip
"""`prompt` and `least`: tokens of a prompt in PPO, at most and at least."""


@dataclass(frozen=True)
class Workload:
    """One thing to measure. `steps` are optimiser steps, or iterations of PPO; the first `warm_up` are not counted."""

    kind: str
    model: str
    per_step: int
    steps: int
    warm_up: int
    learning_rate: float
    lora: bool = True
    ours: dict[str, Any] = field(default_factory=dict)
    """settings of ours that need not be TRL's where both run to the same score: a critic that is linear in states of
    the reward model or of the reference, and fewer passes with longer steps"""
    target: float | None = None
    """run until the mean score of the answers has reached this, at most `steps` iterations"""
    answer: int = ANSWER
    device: str = "cpu"
    dtype: str = "float32"


WORKLOADS = {
    "sft-tiny-lora": Workload("sft", "tiny", 16, 30, 5, 1e-3),
    "sft-tiny-full": Workload("sft", "tiny", 16, 30, 5, 1e-3, lora=False),
    "sft-small-lora": Workload("sft", "small", 8, 8, 2, 2e-4),
    "rm-tiny-lora": Workload("rm", "tiny", 16, 30, 5, 1e-3),
    "rm-small-lora": Workload("rm", "small", 4, 8, 2, 1e-4),
    "ppo-tiny-53": Workload("ppo", "tiny", 64, 6, 2, 1e-4),
    **{
        f"ppo-tiny-53-{critic}": Workload(
            "ppo",
            "tiny",
            64,
            60,
            0,
            2e-4,
            target=1.0,
            ours={"critic": critic, "epochs": 2, "policy_learning_rate": 4e-4, "gae_lambda": None},
        )
        for critic in ("reward", "shared")
    },
    "ppo-small-53": Workload("ppo", "small", 16, 3, 1, 1e-5),
    **{
        f"{kind}-{model}": Workload(kind, model, 64, 4, 1, 1e-5, answer=GPU_ANSWER)
        for kind in ("ppo", "sft", "rm")
        for model in ("0.5b", "1.5b", "7b")
    },
}
USUAL = [name for name, workload in WORKLOADS.items() if "half" not in MODELS[workload.model]]
"""What is measured unless others are asked for."""
PPO = {
    "epochs": 4, "minibatches": 4, "temperature": 0.7, "kl": 0.05, "clip": 0.2, "value_clip": 0.2, "value_loss": 0.1,
    "discount": 1.0, "gae_lambda": 0.95, "adam_eps": 1e-5,
}  # fmt: skip


def arguments() -> argparse.ArgumentParser:
    """What either side is started with."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("workload")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--per-step", type=int)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    return parser


def workload_of(given: argparse.Namespace) -> Workload:
    """A workload by name, made smaller where one only tries whether everything runs."""
    steps, per_step = given.steps, given.per_step
    workload = replace(WORKLOADS[given.workload], device=given.device, dtype=given.dtype)
    if steps:
        workload = replace(workload, steps=steps, warm_up=min(workload.warm_up, steps - 1))
    return replace(workload, per_step=per_step) if per_step else workload


def rows(folder: Path, workload: Workload) -> list[Any]:
    """The workload's rows of token ids, in the order in which both sides take them."""
    with open(folder / workload.model / f"{workload.kind}.jsonl", encoding="utf-8") as file:
        read = [json.loads(line) for line in file]
    wanted = workload.steps * workload.per_step
    return (read * -(-wanted // len(read)))[:wanted]


# -- measuring --------------------------------------------------------------------------------------------------------


@dataclass
class Mark:
    """A moment: wall clock, this process's CPU seconds, and those of the whole machine (busy, taken by its host)."""

    wall: float
    own: float
    busy: float
    stolen: float

    @classmethod
    def now(cls) -> "Mark":
        busy = stolen = float("nan")
        if os.path.exists("/proc/stat"):
            with open("/proc/stat", encoding="ascii") as file:
                user, nice, system, _, _, irq, soft, steal = (int(word) for word in file.readline().split()[1:9])
            ticks = os.sysconf("SC_CLK_TCK")
            busy, stolen = (user + nice + system + irq + soft) / ticks, steal / ticks
        return cls(time.perf_counter(), time.process_time(), busy, stolen)


@dataclass
class Measured:
    """What a side says of its run: a line of JSON on standard output."""

    side: str
    workload: str
    dtype: str = "float32"
    seconds: float = 0.0
    """of the counted steps"""
    cpu_seconds: float = 0.0
    others_share: float = 0.0
    """of the machine's CPU time meanwhile that went to other processes or to the host's other guests"""
    steps: int = 0
    units: float = 0.0
    """tokens of sft, pairs of rm, episodes of ppo in those steps"""
    lengths: list[list[int]] = field(default_factory=list)
    """of each row of those steps: all its tokens, and those at which the vocabulary is needed"""
    phases: dict[str, float] = field(default_factory=dict)
    """seconds by phase"""
    losses: list[float] = field(default_factory=list)
    """of every step, the warm-up too"""
    numbers: dict[str, list[float]] = field(default_factory=dict)
    """others, of every step"""
    before_mib: float = 0.0
    peak_mib: float = 0.0
    """the process's memory when training began, and at its most until it ended; on a GPU the GPU's"""
    gflops: float = 0.0
    """of a large matrix product in this process, the best of several: what the floor is counted by"""
    versions: dict[str, str] = field(default_factory=dict)

    def count(self, marks: "list[Mark]", warm_up: int) -> None:
        """Take the times from marks at the start and after every step."""
        first, last = marks[warm_up], marks[-1]
        self.steps = len(marks) - 1 - warm_up
        self.seconds, self.cpu_seconds = last.wall - first.wall, last.own - first.own
        others = (last.busy - first.busy) - self.cpu_seconds + (last.stolen - first.stolen)
        self.others_share = max(0.0, others / (self.seconds * (os.cpu_count() or 1)))

    def say(self) -> None:
        """Print it; whatever a library prints goes elsewhere."""
        print("measured " + json.dumps(asdict(self)), flush=True)


def resident_mib(field_name: str = "VmRSS") -> float:
    """The process's memory now, or at its most (VmHWM); nan where the system does not tell."""
    if os.path.exists("/proc/self/status"):
        with open("/proc/self/status", encoding="ascii") as file:
            for line in file:
                if line.startswith(field_name):
                    return int(line.split()[1]) / 1024
    return float("nan")


def wait(device: str) -> None:
    """Until a GPU has done what it was told."""
    if device == "cuda":
        import torch

        torch.cuda.synchronize()


def peak_mib(device: str) -> float:
    """The most memory that was in use since `forget_peak`: of a GPU, or of the process."""
    if device == "cuda":
        import torch

        return float(torch.cuda.max_memory_allocated() / 2**20)
    return resident_mib("VmHWM")


def forget_peak(device: str = "cpu") -> float:
    """Count the most memory from here on; returns what is in use."""
    if device == "cuda":
        import torch

        torch.cuda.reset_peak_memory_stats()
        return float(torch.cuda.memory_allocated() / 2**20)
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
    except OSError:
        pass  # the peak then counts from the start of the process
    return resident_mib()


def gflops(device: str, dtype: str) -> float:
    """The rate of a matrix product large enough to be fast, the best of half a second."""
    import torch

    side = 8192 if device == "cuda" else 1024
    a, b = (torch.randn(side, side).to(device, getattr(torch, dtype)) for _ in range(2))
    a @ b
    best, until = float("inf"), time.perf_counter() + 0.5
    while time.perf_counter() < until:
        wait(device)
        began = time.perf_counter()
        a @ b
        wait(device)
        best = min(best, time.perf_counter() - began)
    return 2 * side**3 / best / 1e9
