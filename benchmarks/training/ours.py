"""Our side of a workload: the product's own trainers on the token ids that TRL gets. Prints one line, as TRL's does.

python -m benchmarks.training.ours FOLDER WORKLOAD [--steps N] [--per-step N] [--threads N] [--seed N]
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from workers.training import launch  # sets what a run's process sets, before torch is loaded

import torch  # isort: skip
import transformers
from torch import nn

from backend.domain.training import PPOConfig, RewardModelConfig, RunConfig, SFTConfig
from backend.domain.training.guard import GuardConfig
from benchmarks.training import shared
from benchmarks.training.shared import LORA, PPO, Mark, Measured, Workload
from workers.training import ppo, reward_model, sft
from workers.training.backbone import Backbone
from workers.training.events import StepMetrics
from workers.training.heads import ScalarHead
from workers.training.job import Job
from workers.training.likelihood import DocumentTask
from workers.training.packing import Document
from workers.training.reward_groups import Group
from workers.training.reward_model import RewardTask
from workers.training.scoring import RewardModel, Rewards, Weighted
from workers.training.supervised import Loop, Plan

Row = TypeVar("Row")


def main() -> None:
    parser = shared.arguments()
    given = parser.parse_args()
    workload = shared.workload_of(given)
    launch.settle(torch.device(workload.device), given.seed, given.threads)
    said = Measured("ours", given.workload, given.dtype, gflops=shared.gflops(workload.device, workload.dtype))
    {"sft": _sft, "rm": _rm, "ppo": _ppo}[workload.kind](given.folder, workload, given.seed, said)
    said.versions = {module.__name__: module.__version__ for module in (transformers, torch)}
    said.say()


def _backbone(folder: Path, workload: Workload) -> Backbone:
    # What trains all weights does so in float32, and multiplies in bfloat16 on a GPU.
    dtype = getattr(torch, workload.dtype) if workload.lora else torch.float32
    return Backbone.load(folder / workload.model / "model", device=torch.device(workload.device), dtype=dtype)


def _adapter(backbone: Backbone, name: str, seed: int) -> list[tuple[str, nn.Parameter]]:
    """A new adapter, by name: the one that TRL begins with."""
    backbone.add_adapter(name, rank=LORA["rank"], alpha=LORA["alpha"], seed=seed)
    return list(zip(backbone.adapters[name].tensors(), backbone.parameters_of(name), strict=True))


def _sft(folder: Path, workload: Workload, seed: int, said: Measured) -> None:
    config = SFTConfig(
        model="benchmark", demonstrations_per_step=workload.per_step, method="lora" if workload.lora else "full",
        **_supervised(workload, seed),
    )  # fmt: skip
    rows, backbone = shared.rows(folder, workload), _backbone(folder, workload)
    if workload.lora:
        named = _adapter(backbone, sft.ADAPTER, seed)
    else:
        backbone.model.requires_grad_(True)
        named = list(backbone.model.named_parameters())
    plan = Plan(len(rows), workload.per_step, config.epochs, config.max_steps, seed)
    job = _job("sft", config, seed, workload)
    task = DocumentTask(
        job, backbone, _in_order([Document(r["ids"], ((r["prompt"], len(r["ids"])),)) for r in rows], plan), [],
        adapter=sft.ADAPTER if workload.lora else None, samples=lambda step: iter(()),
        tokens_per_microbatch=config.tokens_per_microbatch,
    )  # fmt: skip
    _run(Loop(job, config, task, plan, named), workload, said)
    counted = rows[workload.warm_up * workload.per_step :]
    said.lengths = [[len(r["ids"]), len(r["ids"]) - r["prompt"]] for r in counted]
    said.units = sum(len(r["ids"]) for r in counted)


def _rm(folder: Path, workload: Workload, seed: int, said: Measured) -> None:
    config = RewardModelConfig(
        model="benchmark", reward_set="benchmark", prompts_per_step=workload.per_step, centre_coefficient=0.0,
        **_supervised(workload, seed),
    )  # fmt: skip
    rows, backbone = shared.rows(folder, workload), _backbone(folder, workload)
    named = _adapter(backbone, reward_model.ADAPTER, seed)
    head = ScalarHead.load(folder / workload.model / "rm", device=backbone.device)
    named += [(f"head.{name}", parameter) for name, parameter in head.named_parameters()]
    plan = Plan(len(rows), workload.per_step, config.epochs, config.max_steps, seed)
    groups = _in_order([_pair(row["chosen"], row["rejected"]) for row in rows], plan)
    job = _job("reward_model", config, seed, workload)
    _run(Loop(job, config, RewardTask(job, config, backbone, head, groups, []), plan, named), workload, said)
    counted = rows[workload.warm_up * workload.per_step :]
    said.lengths = [[len(ids), 0] for r in counted for ids in (r["chosen"], r["rejected"])]
    said.units = len(counted)


def _pair(chosen: Sequence[int], rejected: Sequence[int]) -> Group:
    documents = [Document(chosen), Document(rejected)]
    return Group((), ["chosen", "rejected"], documents, [len(chosen), len(rejected)], [], [(0, 1, 1.0, 1.0)])


def _supervised(workload: Workload, seed: int) -> dict[str, Any]:
    return {
        "seed": seed, "learning_rate": workload.learning_rate, "schedule": "constant", "warmup_share": 0.0,
        "epochs": 1.0, "max_steps": workload.steps, "lora_rank": LORA["rank"], "lora_alpha": float(LORA["alpha"]),
        "evaluate_every_steps": 10**6, "save_every_s": 1e9,
    }  # fmt: skip


def _in_order(rows: Sequence[Row], plan: Plan) -> list[Row]:
    """Rows placed so that the plan, which shuffles, takes them in the order in which they are given."""
    places = [place for step in range(plan.steps) for place in plan.step_items(step)]
    return [row for _, row in sorted(zip(places, rows, strict=True), key=lambda pair: pair[0])]


def _job(kind: str, config: RunConfig, seed: int, workload: Workload) -> Job:
    folder = Path(tempfile.mkdtemp(prefix="podium-benchmark-ours-"))
    device, dtype = torch.device(workload.device), getattr(torch, workload.dtype)
    return Job(folder, kind, config, seed=seed, device=device, dtype=dtype)


def _run(loop: Loop[Any], workload: Workload, said: Measured) -> None:
    said.before_mib = shared.forget_peak(workload.device)
    marks = [Mark.now()]
    for event in loop.run():
        if isinstance(event, StepMetrics) and "train/loss" in event.values:
            shared.wait(workload.device)
            marks.append(Mark.now())
            said.losses.append(event.values["train/loss"])
    said.peak_mib = shared.peak_mib(workload.device)
    said.count(marks, workload.warm_up)
    said.phases = {"training": said.seconds}


def _ppo(folder: Path, workload: Workload, seed: int, said: Measured) -> None:
    as_trl: dict[str, Any] = {
        "epochs": PPO["epochs"], "minibatches": PPO["minibatches"], "policy_learning_rate": workload.learning_rate,
        "value_learning_rate": workload.learning_rate, "schedule": "constant", "gradient_clip_norm": 1e9,
        "clip_range": PPO["clip"], "value_clip_range": PPO["value_clip"], "kl_limit_per_seq_nats": None,
        "kl_base_coefficient": PPO["kl"], "temperature": PPO["temperature"], "missing_end_penalty": 0.0,
        "score_clip": 1e9, "discount": PPO["discount"], "gae_lambda": PPO["gae_lambda"], "lora_rank": LORA["rank"],
        "lora_alpha": float(LORA["alpha"]), "guard": GuardConfig(action="warn"),
    }  # fmt: skip
    config = PPOConfig(
        model="benchmark", reward_model="benchmark", seed=seed, iterations=workload.steps,
        episodes_per_iteration=workload.per_step, max_new_tokens=workload.answer, **(as_trl | workload.ours),
    )  # fmt: skip
    prompts, backbone = shared.rows(folder, workload), _backbone(folder, workload)
    budget = config.tokens_per_microbatch
    scorer = RewardModel.load(backbone, folder / workload.model / "reward", tokens_per_microbatch=budget)
    learner = ppo.PPO(
        config, backbone, Rewards({"reward_model": Weighted(1.0, scorer)}), prompts, seed=seed, stop_ids=(-1,)
    )
    frozen = learner.frozen()
    said.before_mib = shared.forget_peak(workload.device)
    marks = [Mark.now()]
    said.phases = dict.fromkeys(("rollout", "scoring", "update"), 0.0)
    said.numbers = {name: [] for name in LOGGED}
    for values, batch in learner.iterations():
        marks.append(Mark.now())
        for name, ours in LOGGED.items():
            said.numbers[name].append(values[ours])
        if len(marks) - 1 > workload.warm_up:
            for phase in said.phases:
                said.phases[phase] += values[f"time/{phase}_s"]
            said.lengths += [[len(row), len(a.ids)] for row, a in zip(batch.sequences, batch.answers, strict=True)]
        if workload.target is not None and values["objective/score"] >= workload.target:
            break
    said.peak_mib = shared.peak_mib(workload.device)
    said.count(marks, workload.warm_up)
    said.units = said.steps * workload.per_step
    assert learner.frozen() == frozen, "training changed what it must not"


LOGGED = {
    "score": "objective/score", "kl": "objective/kl_base_per_seq_nats", "policy_loss": "policy/loss",
    "value_loss": "value/loss", "ratio": "policy/ratio_mean",
}  # fmt: skip


if __name__ == "__main__":
    main()
