"""What a run of reinforcement learning is asked to do: the estimator, both forms of PPO, and the KL control."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from backend.domain.training.base import SPLIT_HELP, LoraConfig, OutputConfig, Split, names
from backend.domain.training.engine import EXAMPLES as EXAMPLES_OF_ENGINE
from backend.domain.training.engine import EngineConfig
from backend.domain.training.guard import GuardConfig
from backend.domain.training.scorers import EXAMPLES, ScorerConfig

CRITIC_NOT_COPIED = (
    "This reward model trained all its weights, so a critic that is an adapter cannot start as a copy of it: it starts "
    "by predicting 0, although value_init is reward, and advantages are noisier until it has learnt. Where critic is "
    "reward, it reads this reward model instead, starts as well as a copy, and costs about half the work."
)


class PPOConfig(LoraConfig, OutputConfig):
    """Reinforcement of a policy by a reward model: PPO with a clipped or a KL-penalised objective, or REINFORCE."""

    title: ClassVar[str] = "PPO"
    description: ClassVar[str] = (
        "Improves a model on the project's prompts: it answers, the reward model scores, and answers above expectation "
        "become likelier, at a price for moving away from where it started."
    )

    model: str = Field(
        min_length=1,
        description="The start of the policy, and the reference that its divergence is measured from.",
        json_schema_extra=names("model"),
    )
    reward_model: str = Field(
        min_length=1,
        description=(
            "The reward model that scores answers. It must have been trained on this same model; one that trained all "
            "its weights may come from any model with the same tokenizer."
        ),
        json_schema_extra=names("checkpoint"),
    )
    scorers: Annotated[tuple[ScorerConfig, ...], Field(strict=False)] = Field(
        (),
        max_length=16,
        description="Further scorers beside the reward model: functions on the worker, or services asked over HTTP.",
        examples=EXAMPLES,
    )
    reward_model_weight: float = Field(
        1.0, ge=0, le=1000, description="The reward model's share of the sum, where there are further scorers."
    )
    judge: str | None = Field(
        None,
        description=(
            "A second reward model, trained on other judgments: the policy does not learn from it, but it scores "
            "answers and decides which policy is saved. Empty: the last healthy one is saved."
        ),
        json_schema_extra=names("checkpoint"),
    )
    judge_every_iterations: int = Field(
        5, ge=1, le=100_000, description="The judge scores answers every so many rounds."
    )
    judge_prompts: int = Field(
        64, ge=1, le=100_000, description="Held-out prompts that are answered for the judge each time."
    )
    guard: GuardConfig = Field(GuardConfig(), description="The signs that a policy cheats its reward.")
    prompts: Split = Field("train", description=SPLIT_HELP)
    iterations: int = Field(100, ge=1, le=1_000_000, description="Rounds of answering, scoring and learning.")
    episodes_per_iteration: int = Field(64, ge=1, le=1_000_000, description="Answers in each round.")
    samples_per_prompt: int = Field(
        1,
        ge=1,
        le=1024,
        description="Answers to one prompt in a round; leave_one_out and group_relative need 2 or more.",
    )
    objective: Literal["clip", "kl_penalty", "reinforce"] = Field(
        "clip",
        description=(
            "clip: PPO's clipped ratio. kl_penalty: the ratio less beta times the KL divergence of the step, with beta "
            "adapted to its target. reinforce: the plain policy gradient."
        ),
    )
    advantage_estimator: Literal["gae", "batch_mean", "leave_one_out", "group_relative"] = Field(
        "gae",
        description=(
            "The baseline of an answer. gae: a critic's value at each token. batch_mean: the mean of the round's other "
            "answers. leave_one_out (RLOO): the mean of the other answers to the same prompt. group_relative (GRPO): "
            "the mean of all answers to the same prompt, with the difference divided by their deviation."
        ),
    )
    epochs: int = Field(2, ge=1, le=64, description="Passes over a round's answers.")
    minibatches: int = Field(
        2, ge=1, le=4096, description="Optimiser steps in each pass; a round has exactly epochs times minibatches."
    )
    tokens_per_microbatch: int = Field(
        8192,
        ge=16,
        le=2**22,
        description="Tokens of one forward and backward pass. It bounds memory and changes nothing else.",
    )
    policy_learning_rate: float = Field(1e-4, ge=0, le=1, description="Learning rate of the policy at the start.")
    value_learning_rate: float = Field(3e-4, ge=0, le=1, description="Learning rate of the critic at the start.")
    schedule: Literal["linear", "constant"] = Field(
        "linear", description="Learning rates fall linearly to 0 over the iterations, or stay."
    )
    gradient_clip_norm: float = Field(1.0, gt=0, description="Gradients longer than this are scaled down to it.")
    clip_range: float = Field(
        0.2, gt=0, lt=1, description="clip: how far a token's probability ratio may move from 1 and still gain."
    )
    kl_step_target_per_token_nats: float = Field(
        0.01, gt=0, le=10, description="kl_penalty: the KL divergence that one round's step should have (delta)."
    )
    kl_step_coefficient: float = Field(
        1.0, gt=0, le=1000, description="kl_penalty: the price of the step's KL divergence at the start (beta)."
    )
    kl_step_direction: Literal["new_old", "old_new"] = Field(
        "new_old",
        description="kl_penalty: KL(new, old), or KL(old, new) as in the paper. They agree for small steps.",
    )
    kl_step_stop_per_token_nats: float | None = Field(
        None,
        gt=0,
        description="A round's passes end early when the KL divergence of a pass exceeds 1.5 times this. Empty: never.",
    )
    kl_base_coefficient: float = Field(
        0.05, ge=0, le=100, description="Price of a nat of divergence from the reference, in units of score (lambda)."
    )
    kl_controller: Literal["fixed", "leash"] = Field(
        "fixed", description="fixed: lambda stays. leash: lambda is adapted so that the divergence stays at its target."
    )
    kl_target_per_seq_nats: float = Field(
        6.0, gt=0, description="leash: the divergence from the reference to hold, in nats per answer."
    )
    kl_horizon_episodes: float = Field(
        1_000,
        gt=0,
        description="leash: over so many answers lambda rises or falls by at most a fifth; fewer react faster.",
    )
    kl_limit_per_seq_nats: float | None = Field(
        40.0,
        gt=0,
        description=(
            "The run stops when the divergence from the reference exceeds this, and keeps the policy of the round "
            "before. Empty: never."
        ),
    )
    discount: float = Field(
        1.0, gt=0, le=1, description="Weight of a reward one token later (gamma). Below 1 short answers are favoured."
    )
    gae_lambda: float | None = Field(
        None,
        ge=0,
        le=1,
        description=(
            "gae: 1 relies on the returns received, 0 on the critic's next value. Empty: 0.95, and 1 with a shared "
            "critic, whose values are too rough to rely on."
        ),
    )
    whiten_advantages: bool = Field(
        True, description="Advantages are scaled to mean 0 and variance 1 over the round's tokens."
    )
    critic: Literal["separate", "reward", "shared"] = Field(
        "separate",
        description=(
            "separate: the critic is an adapter of its own. reward: a linear function of the reward model's hidden "
            "states of the unfinished answer, fitted by least squares; about half the work. shared: the same of the "
            "reference's, as cheap and for any scorer, but it must first learn which prompts are worth more."
        ),
    )
    value_init: Literal["reward", "zero"] = Field(
        "reward",
        description=(
            "reward: a separate critic starts as a copy of the reward model; not where that trained all its weights, "
            "which the run then says, or where reward_model_weight is 0. One that reads the reward model starts with "
            "its head, if that predicts the first round better than a fit. zero: it starts by predicting 0, as a "
            "shared one always does."
        ),
    )
    value_clip_range: float | None = Field(
        0.2, gt=0, description="How far a value may move in a round and still gain. Empty: any distance."
    )
    score_clip: float = Field(
        5.0, gt=0, description="Scores, whose deviation is about 1, are clipped to at most this above or below 0."
    )
    missing_end_penalty: float = Field(
        1.0, ge=0, description="Taken off the score of an answer that was cut before it ended."
    )
    entropy_coefficient: float = Field(
        0.0, ge=0, le=10, description="Weight of the entropy of each token in the loss, which keeps answers varied."
    )
    engine: EngineConfig | None = Field(
        None,
        description=(
            "A vLLM server, started with LoRA loading, that draws the answers instead of the trainer. Empty: none."
        ),
        examples=EXAMPLES_OF_ENGINE,
    )
    temperature: float = Field(
        1.0,
        gt=0,
        le=10,
        description="Logits are divided by it when answers are drawn, and everywhere they are scored too.",
    )
    max_new_tokens: int = Field(128, ge=1, le=131_072, description="Longest answer; a longer one is cut.")
    max_bad_steps: int = Field(
        10,
        ge=1,
        le=10_000,
        description="The run stops with an error after so many skipped steps (loss or gradient not finite) in a row.",
    )
    save_every_s: float = Field(
        60.0,
        ge=0,
        description="Seconds between saves of a state from which the run can resume; 0 saves after each round.",
    )
    shown_samples: int = Field(
        16, ge=0, le=64, description="Answers of each round that are kept for people to read, token by token."
    )

    @property
    def gae_lambda_used(self) -> float:
        """The lambda of GAE: as set, or the default that goes with the critic."""
        usual = 1.0 if self.critic == "shared" else 0.95
        return usual if self.gae_lambda is None else self.gae_lambda

    @property
    def copies_reward_model(self) -> bool:
        """Whether the critic should start as a copy of the reward model, which must be an adapter for that."""
        wished = (self.advantage_estimator, self.critic, self.value_init) == ("gae", "separate", "reward")
        return wished and self.reward_model_weight > 0

    @model_validator(mode="after")
    def _plan(self) -> Self:
        if self.episodes_per_iteration % self.samples_per_prompt:
            raise ValueError("episodes_per_iteration must be a multiple of samples_per_prompt.")
        if self.episodes_per_iteration < self.minibatches:
            raise ValueError("minibatches must not be more than episodes_per_iteration.")
        if self.objective == "reinforce" and self.advantage_estimator == "gae":
            raise ValueError(
                "advantage_estimator must be batch_mean, leave_one_out or group_relative when objective is reinforce, "
                "which has no critic."
            )
        if self.objective == "reinforce" and (self.epochs, self.minibatches) != (1, 1):
            raise ValueError(
                "epochs and minibatches must be 1 when objective is reinforce: its gradient holds for one step only."
            )
        if self.advantage_estimator in ("leave_one_out", "group_relative") and self.samples_per_prompt < 2:
            raise ValueError(
                f"samples_per_prompt must be 2 or more when advantage_estimator is {self.advantage_estimator}."
            )
        if self.kl_controller == "leash":
            if self.kl_horizon_episodes < self.episodes_per_iteration:  # lambda would overshoot, even below 0
                raise ValueError("kl_horizon_episodes must not be less than episodes_per_iteration.")
            if not self.kl_base_coefficient:
                raise ValueError("kl_base_coefficient must be above 0 where kl_controller is leash, which scales it.")
        if any(scorer.compares for scorer in self.scorers):
            raise ValueError("scorers must score single answers here; one that compares two can only evaluate.")
        called = [scorer.name for scorer in self.scorers]
        if len({*called, "reward_model"}) <= len(called):
            raise ValueError("scorers must have names of their own, and none may be called reward_model.")
        if sum(scorer.role == "judge" for scorer in self.scorers) + (self.judge is not None) > 1:
            raise ValueError("judge: there can be one judge only, either a reward model or a scorer.")
        if self.advantage_estimator == "batch_mean" and self.episodes_per_iteration < 2:
            raise ValueError("episodes_per_iteration must be 2 or more when advantage_estimator is batch_mean.")
        return self
