"""TRL's PPO on a workload. The last release that has it is 1.12.

`per_device_train_batch_size` is the whole batch and `gradient_accumulation_steps` 1: with anything less TRL takes one
optimiser step for all minibatches, whatever `num_mini_batches` says. The critic is a LoRA adapter with a head, as ours
is (`critic="lora"`), or the whole model, which is TRL's custom and costs half as much again ("full"). It and the
reward model are models of their own; the reference is the policy without its adapter. No stop token: every answer is
as long as it may be.
"""

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import shared
import torch
from datasets import Dataset
from peft import LoraConfig, inject_adapter_in_model
from shared import LORA, PPO, Measured, Workload
from transformers import AutoTokenizer
from trl.experimental.ppo import PPOConfig, PPOTrainer
from trl.experimental.ppo import ppo_trainer as inside
from trl_side import TARGETS, Timer, arguments, begin_with, fold_in, language_model, scalar_model, with_adapter

LOGGED = {
    "score": "objective/scores", "kl": "objective/kl", "policy_loss": "loss/policy_avg", "value_loss": "loss/value_avg",
    "ratio": "val/ratio",
}  # fmt: skip


class Enough(Exception):
    """The score that was asked for is reached."""


def run(folder: Path, workload: Workload, seed: int, critic: str, said: Measured) -> None:
    prompts = shared.rows(folder, workload)
    model_folder = folder / workload.model
    tokenizer = AutoTokenizer.from_pretrained(model_folder / "model", padding_side="left")
    # Both begin as the reward model.
    reward, value = (scalar_model(model_folder, "reward", workload) for _ in range(2))
    fold_in(reward, model_folder / "reward" / "adapter")
    if critic == "lora":
        value = _with_adapter_inside(value, model_folder / "reward" / "adapter")
    else:
        fold_in(value, model_folder / "reward" / "adapter")
    settings = PPOConfig(
        **arguments(workload, seed), num_mini_batches=PPO["minibatches"], num_ppo_epochs=PPO["epochs"],
        total_episodes=workload.steps * workload.per_step, local_rollout_forward_batch_size=workload.per_step,
        response_length=workload.answer, stop_token=None, missing_eos_penalty=None, num_sample_generations=0,
        temperature=PPO["temperature"], kl_coef=PPO["kl"], cliprange=PPO["clip"], cliprange_value=PPO["value_clip"],
        vf_coef=PPO["value_loss"], gamma=PPO["discount"], lam=PPO["gae_lambda"], whiten_rewards=False,
        kl_estimator="k1", adam_epsilon=PPO["adam_eps"],
    )  # fmt: skip
    timer = _Phases(workload)
    data = Dataset.from_list([{"input_ids": ids} for ids in prompts])
    trainer = PPOTrainer(
        args=settings, processing_class=tokenizer, ref_model=None, value_model=value, train_dataset=data,
        model=with_adapter(language_model(model_folder, workload), model_folder, "CAUSAL_LM"),
        reward_model=reward, eval_dataset=data.select(range(workload.per_step)),
        callbacks=[timer],
    )  # fmt: skip
    timer.watch(tokenizer.pad_token_id)
    said.before_mib = timer.begin()
    with suppress(Enough):
        trainer.train()
    said.peak_mib = shared.peak_mib(workload.device)
    said.count(timer.marks, workload.warm_up)
    said.units = said.steps * workload.per_step
    counted = timer.prompts[workload.warm_up * workload.per_step :]
    said.lengths = [[size + workload.answer, workload.answer] for size in counted]
    said.phases = timer.phases(workload.warm_up)
    said.numbers = {name: timer.logged(theirs) for name, theirs in LOGGED.items()}


def _with_adapter_inside(model: Any, adapter: Path) -> Any:
    """Without peft's wrapper, which the trainer would look in vain through for the critic's trunk."""
    made = inject_adapter_in_model(
        LoraConfig(r=LORA["rank"], lora_alpha=LORA["alpha"], lora_dropout=0.0, target_modules=TARGETS, bias="none"),
        model,
    )
    begin_with(made, adapter)
    made.score.weight.requires_grad_(True)
    return made


class _Phases(Timer):
    """Seconds by phase, from the functions that the trainer calls on its way."""

    def __init__(self, workload: Workload) -> None:
        super().__init__()
        self.target, self.rolled_out, self.scored, self.device = workload.target, [], [], workload.device
        self.prompts: list[int] = []

    def watch(self, pad: int) -> None:
        """`batch_generation` is the rollout; the one `masked_whiten` of an iteration ends the scoring."""
        generation, whiten = inside.batch_generation, inside.masked_whiten

        def generate(model: Any, queries: torch.Tensor, *rest: Any) -> Any:
            self.prompts += (queries != pad).sum(1).tolist()
            made = generation(model, queries, *rest)
            shared.wait(self.device)
            self.rolled_out.append(time.perf_counter())
            return made

        def whitened(*given: Any, **named: Any) -> Any:
            made = whiten(*given, **named)
            shared.wait(self.device)
            self.scored.append(time.perf_counter())
            return made

        inside.batch_generation, inside.masked_whiten = generate, whitened

    def on_step_end(self, *given: Any, **named: Any) -> None:
        super().on_step_end(*given, **named)
        if self.target is not None and self.logged("objective/scores")[-1] >= self.target:
            raise Enough

    def phases(self, warm_up: int) -> dict[str, float]:
        found = {"rollout": 0.0, "scoring": 0.0, "update": 0.0}
        for step in range(warm_up, len(self.marks) - 1):
            found["rollout"] += self.rolled_out[step] - self.marks[step].wall
            found["scoring"] += self.scored[step] - self.rolled_out[step]
            found["update"] += self.marks[step + 1].wall - self.scored[step]
        return found
