"""How the form of each kind of run is laid out: what it asks first, what belongs together, what hangs on what.

Says nothing of what is allowed: the configs do. Names are those of their fields; `guard` stands for all that is in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Form:
    """first: fields that are always open, in this order. groups: the others under titles; what stands nowhere comes
    before them. only: fields that matter only while another has one of these values (null: while it is empty).
    sets: what else is set when a field takes a value, because nothing else goes with it.
    """

    first: tuple[str, ...]
    groups: Mapping[str, tuple[str, ...]]
    only: Mapping[str, Mapping[str, tuple[str | None, ...]]] = field(default_factory=dict)
    sets: Mapping[str, Mapping[str, Mapping[str, str | int]]] = field(default_factory=dict)


OPTIMISER = {
    "Optimiser": (
        "schedule",
        "warmup_share",
        "final_learning_rate_share",
        "weight_decay",
        "gradient_clip_norm",
        "max_bad_steps",
    )
}
ADAPTER = {"Adapter": ("lora_rank", "lora_alpha")}
MACHINE = {"Machine and seed": ("devices", "tokens_per_microbatch", "save_every_s", "seed")}
WITH_LORA = {name: {"method": ("lora",)} for name in ADAPTER["Adapter"]}
NEW_MODEL = (
    "hidden_size",
    "layers",
    "heads",
    "vocabulary_size",
    "context_tokens",
    "architecture",
    "feed_forward_size",
    "tie_embeddings",
    "chat_template",
)
CRITIC = ("critic", "value_init", "value_learning_rate", "value_clip_range", "gae_lambda")
STEPPED = ("value_learning_rate", "value_clip_range")
"""Of a critic that is not solved."""
STEP_PENALTY = ("kl_step_target_per_token_nats", "kl_step_coefficient", "kl_step_direction")

FORMS: dict[str, Form] = {
    "pretrain": Form(
        first=("model", *NEW_MODEL[:5], "epochs", "learning_rate", "output_name"),
        groups={"Shape of a new model": NEW_MODEL[5:], **OPTIMISER, **MACHINE},
        only={name: {"model": (None,)} for name in NEW_MODEL},
    ),
    "sft": Form(
        first=("model", "demonstrations", "method", "epochs", "learning_rate", "output_name"),
        groups={**ADAPTER, **OPTIMISER, **MACHINE},
        only={**WITH_LORA, "min_judgments": {"demonstrations": ("best_ranked",)}},
    ),
    "sample": Form(
        first=("models", "prompts", "completions_per_prompt", "max_new_tokens", "temperature", "max_prompts"),
        groups={"Machine and seed": ("engine", "tokens_per_microbatch", "seed")},
    ),
    "reward_model": Form(
        first=("model", "reward_set", "method", "loss", "half", "epochs", "learning_rate", "output_name"),
        groups={**ADAPTER, **OPTIMISER, **MACHINE},
        only={**WITH_LORA, "regression_share": {"loss": ("mixed",)}},
    ),
    "ppo": Form(
        first=(
            "model",
            "reward_model",
            "objective",
            "advantage_estimator",
            "iterations",
            "episodes_per_iteration",
            "max_new_tokens",
            "policy_learning_rate",
            "kl_base_coefficient",
            "kl_controller",
            "kl_target_per_seq_nats",
            "judge",
            "output_name",
        ),
        groups={
            "Further rewards": ("scorers", "reward_model_weight", "score_clip", "missing_end_penalty"),
            "Judge and guard": ("judge_every_iterations", "judge_prompts", "kl_limit_per_seq_nats", "guard"),
            "Answers of a round": ("prompts", "samples_per_prompt", "temperature", "shown_samples", "engine"),
            "Steps of the policy": (
                "epochs",
                "minibatches",
                "clip_range",
                *STEP_PENALTY,
                "kl_step_stop_per_token_nats",
                "kl_horizon_episodes",
                "entropy_coefficient",
                "schedule",
                "gradient_clip_norm",
                "max_bad_steps",
            ),
            "Critic and advantages": (*CRITIC, "discount", "whiten_advantages"),
            **ADAPTER,
            **MACHINE,
        },
        only={
            "clip_range": {"objective": ("clip",)},
            **{name: {"objective": ("kl_penalty",)} for name in STEP_PENALTY},
            **{name: {"kl_controller": ("leash",)} for name in ("kl_target_per_seq_nats", "kl_horizon_episodes")},
            **{name: {"advantage_estimator": ("gae",)} for name in CRITIC},
            **{name: {"advantage_estimator": ("gae",), "critic": ("separate",)} for name in STEPPED},
        },
        sets={
            "objective": {"reinforce": {"advantage_estimator": "batch_mean", "epochs": 1, "minibatches": 1}},
            "advantage_estimator": {
                "leave_one_out": {"samples_per_prompt": 4},
                "group_relative": {"samples_per_prompt": 4},
            },
        },
    ),
    "evaluate": Form(
        first=("models", "reward_model", "prompts", "reference", "max_new_tokens", "temperature", "max_prompts"),
        groups={"Machine and seed": ("tokens_per_microbatch", "seed")},
        only={"max_demonstrations": {"perplexity_on": ("demonstrations",)}},
    ),
}
