"""What each kind of run is asked to do: one frozen class of settings a kind.

The same class draws the form in the browser (its JSON schema), is stored with the run, and is the trainer's argument.
It knows nothing of torch, of SQL or of where files lie: services resolve the names in a config to files and folders
before the trainer starts (`job.json`), so a trainer only ever sees paths.

Fields that name something registered carry `x-podium` in their schema, which tells the form what to offer:
`model` (a registry name `namespace/name`), `checkpoint`, `reward_set`, `output_name` (a new name to give).
"""

import re
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from backend.errors import Invalid

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}/[A-Za-z0-9][A-Za-z0-9._-]{0,94}$"


Split = Literal["all", "train", "held_out"]
SPLIT_HELP = (
    "Which prompts of the project: all, those that training may use, or those held out from the training of reward "
    "models and policies (a fixed share, chosen by the prompt's hash, the same for ever)."
)


def names(what: str) -> dict[str, Any]:
    """The schema mark that tells the form which registered things to offer for a field."""
    return {"x-podium": what}


def _form_order(schema: dict[str, Any], config: type[BaseModel]) -> None:
    """A form asks first for what it must know, then for the kind's own settings, then for the general ones."""
    general = OptimiserConfig.model_fields.keys() | LoraConfig.model_fields.keys() | SamplingConfig.model_fields.keys()
    required = schema.get("required", [])
    properties = schema["properties"]
    order = sorted(properties, key=lambda name: (name not in required, name in general))  # stable inside each part
    schema["properties"] = {name: properties[name] for name in order}


class RunConfig(BaseModel):
    """What all kinds of run share: rejects unknown fields, never changes once made, and draws its own form."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, json_schema_extra=_form_order
    )

    title: ClassVar[str] = ""
    description: ClassVar[str] = ""

    seed: int = Field(
        0,
        ge=0,
        le=2**31 - 1,
        description="Seed of every random draw: the same inputs on the same machine give the same bits.",
    )


class OutputConfig(RunConfig):
    """A run that makes a checkpoint."""

    output_name: str | None = Field(
        None,
        pattern=NAME_PATTERN,
        description=(
            "Name (namespace/name) of the checkpoint that the run makes; it must be new. Empty: named after the run."
        ),
        json_schema_extra=names("output_name"),
    )


class OptimiserConfig(OutputConfig):
    """The optimiser settings of the supervised trainers (pretrain, sft, reward_model)."""

    learning_rate: float = Field(
        2e-4, gt=0, le=1, description="Highest learning rate of AdamW, reached at the end of the warm-up."
    )
    schedule: Literal["cosine", "linear", "constant"] = Field(
        "cosine", description="How the learning rate falls after the warm-up."
    )
    warmup_share: float = Field(
        0.03, ge=0, le=0.5, description="Share of all optimiser steps during which the learning rate rises from 0."
    )
    final_learning_rate_share: float = Field(
        0.0, ge=0, le=1, description="Share of the learning rate that is left at the last step."
    )
    weight_decay: float = Field(
        0.0, ge=0, le=1, description="Decoupled weight decay of matrices; biases, norms and embeddings have none."
    )
    gradient_clip_norm: float = Field(1.0, gt=0, description="Gradients longer than this are scaled down to it.")
    tokens_per_microbatch: int = Field(
        4096,
        ge=16,
        le=2**20,
        description=(
            "Tokens of one forward and backward pass. It bounds memory and changes nothing else: the loss is "
            "divided by the whole step's count."
        ),
    )
    max_bad_steps: int = Field(
        10,
        ge=1,
        le=10_000,
        description="The run stops with an error after so many skipped steps (loss or gradient not finite) in a row.",
    )
    evaluate_every_steps: int = Field(
        50, ge=1, description="Held-out numbers are taken before the first step, each so many steps, and at the end."
    )
    save_every_s: float = Field(
        60.0,
        ge=0,
        description="Seconds between saves of a state from which the run can resume; 0 saves after each step.",
    )


class LoraConfig(BaseModel):
    """Mixed into the configs that can train a low-rank adapter."""

    lora_rank: int = Field(16, ge=1, le=1024, description="Rank of the LoRA adapter on all linear layers.")
    lora_alpha: float = Field(32.0, gt=0, description="The adapter's output is multiplied by alpha / rank.")


class PretrainConfig(OptimiserConfig):
    """A causal language model from the project's documents: tokenizer first, then the weights."""

    title: ClassVar[str] = "Pretrain a language model"
    description: ClassVar[str] = (
        "Learns a tokenizer and a small causal language model from the project's documents, or trains a given model "
        "further."
    )

    model: str | None = Field(
        None,
        description=(
            "Train this model further, with its own tokenizer and shape. Empty: make a new one of the shape below."
        ),
        json_schema_extra=names("model"),
    )
    architecture: Literal["llama", "gpt2"] = Field("llama", description="Family of a new model.")
    hidden_size: int = Field(128, ge=8, le=16_384, description="Width of a new model.")
    layers: int = Field(4, ge=1, le=256, description="Layers of a new model.")
    heads: int = Field(
        4, ge=1, le=256, description="Attention heads of a new model; hidden_size must be a multiple of them."
    )
    feed_forward_size: int | None = Field(
        None,
        ge=8,
        le=131_072,
        description="Inner width of the feed-forward layers. Empty: 8/3 of hidden_size for llama, 4 times for gpt2.",
    )
    vocabulary_size: int = Field(
        1024,
        ge=300,
        le=1_000_000,
        description=(
            "Size of a new model's vocabulary (byte-level BPE, special tokens included); fewer when the texts "
            "hold no more merges."
        ),
    )
    context_tokens: int = Field(
        256,
        ge=8,
        le=1_048_576,
        description="Longest sequence of a new model. Longer texts are cut into pieces of this length.",
    )
    tie_embeddings: bool = Field(True, description="A new model uses one matrix for its input and output embeddings.")
    chat_template: bool = Field(
        True,
        description=(
            "Save a chat template with a new tokenizer, so that prompts are encoded as messages; otherwise "
            "prompts are plain text to be continued."
        ),
    )
    epochs: float = Field(1.0, gt=0, le=10_000, description="Passes over the texts.")
    max_steps: int | None = Field(
        None, ge=1, description="End after so many optimiser steps even if the passes are not over."
    )
    texts_per_step: int = Field(32, ge=1, le=1_000_000, description="Texts of one optimiser step.")
    learning_rate: float = Field(
        3e-3, gt=0, le=1, description="Highest learning rate of AdamW, reached at the end of the warm-up."
    )
    weight_decay: float = Field(
        0.01, ge=0, le=1, description="Decoupled weight decay of matrices; biases, norms and embeddings have none."
    )
    held_out_share: float = Field(
        0.02,
        ge=0,
        le=0.5,
        description="Share of the texts that is kept out of training to measure the loss (chosen by the text's hash).",
    )

    @model_validator(mode="after")
    def _shape(self) -> Self:
        if self.hidden_size % self.heads:
            raise ValueError(
                f"hidden_size must be a multiple of heads, but {self.hidden_size} is not one of {self.heads}."
            )
        if self.architecture == "llama" and (self.hidden_size // self.heads) % 2:
            raise ValueError(
                "hidden_size divided by heads must be even for a llama (rotary positions turn pairs of numbers)."
            )
        return self


class SFTConfig(LoraConfig, OptimiserConfig):
    """Supervised fine-tuning: the model learns to give the demonstrated completions, and to end them."""

    title: ClassVar[str] = "Supervised fine-tuning"
    description: ClassVar[str] = (
        "Teaches a model to answer as the demonstrations do; its result is the start of the reward model and of PPO."
    )

    model: str = Field(min_length=1, description="The model to train.", json_schema_extra=names("model"))
    demonstrations: Literal["imported", "best_ranked"] = Field(
        "imported",
        description=(
            "imported: the demonstrations that were imported into the project. best_ranked: the completion with the "
            "highest rating of each prompt of the project."
        ),
    )
    min_judgments: int = Field(
        1, ge=1, le=1000, description="best_ranked takes only completions with at least so many judgments."
    )
    method: Literal["full", "lora"] = Field(
        "lora", description="Train all weights, or a low-rank adapter that is merged into the saved model at the end."
    )
    train_on_earlier_answers: bool = Field(
        False, description="In dialogues, learn the earlier assistant turns too, not only the last answer."
    )
    epochs: float = Field(2.0, gt=0, le=1000, description="Passes over the demonstrations.")
    max_steps: int | None = Field(
        None, ge=1, description="End after so many optimiser steps even if the passes are not over."
    )
    demonstrations_per_step: int = Field(32, ge=1, le=100_000, description="Demonstrations of one optimiser step.")
    max_tokens: int | None = Field(
        None,
        ge=8,
        le=1_048_576,
        description=(
            "Longest prompt and completion together. A longer prompt is cut at its start; a completion is "
            "never cut, its row is dropped and counted. Empty: the model's limit."
        ),
    )
    held_out_share: float = Field(
        0.05,
        ge=0,
        le=0.5,
        description=(
            "Share of the prompts that is kept out of training to measure the loss (chosen by the prompt's hash)."
        ),
    )
    sample_prompts: int = Field(
        4, ge=0, le=64, description="Held-out prompts answered at each evaluation, for people to read."
    )


class SamplingConfig(RunConfig):
    """How completions are drawn. Nothing is taken from a model's own generation settings."""

    temperature: float = Field(
        1.0,
        ge=0,
        le=10,
        description="Logits are divided by it before a token is drawn; 0 always takes the likeliest token.",
    )
    max_new_tokens: int = Field(
        128,
        ge=1,
        le=131_072,
        description="Longest completion; a completion that does not end by then is cut and marked `length`.",
    )


class SampleConfig(SamplingConfig):
    """Models answer the prompts of the project, so that people can compare the completions."""

    title: ClassVar[str] = "Sample completions"
    description: ClassVar[str] = (
        "Lets one or more models answer the project's prompts; the answers become completions to compare."
    )

    models: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        min_length=1, max_length=64, description="The models that answer.", json_schema_extra=names("model")
    )
    completions_per_prompt: int = Field(1, ge=1, le=64, description="Completions of each model for each prompt.")
    prompts: Split = Field("all", description=SPLIT_HELP)
    max_prompts: int | None = Field(
        None,
        ge=1,
        description="Answer only so many prompts of the project, those with the fewest completions first. Empty: all.",
    )
    tokens_per_microbatch: int = Field(
        16_384,
        ge=16,
        le=2**22,
        description="Tokens (prompt and completion) that are generated side by side. It bounds memory only.",
    )


class RewardModelConfig(LoraConfig, OptimiserConfig):
    """A scalar score of a completion, learnt from the comparisons and rewards of a frozen reward set."""

    title: ClassVar[str] = "Reward model"
    description: ClassVar[str] = "Learns to score completions as the annotators ranked them; PPO maximises this score."

    model: str = Field(
        min_length=1,
        description="The backbone: normally the SFT checkpoint that PPO will start from (PPO requires the same one).",
        json_schema_extra=names("model"),
    )
    reward_set: str = Field(
        min_length=1, description="The frozen reward set to learn from.", json_schema_extra=names("reward_set")
    )
    loss: Literal["bradley_terry", "elo_regression", "mixed"] = Field(
        "bradley_terry",
        description=(
            "bradley_terry: log loss of each comparison (ties are half a win). elo_regression: squared error "
            "to the rewards, centred within the prompt and weighted by precision. mixed: both."
        ),
    )
    regression_share: float = Field(
        0.5,
        gt=0,
        lt=1,
        description="Weight of the squared error in the mixed loss; the rest is the log loss of the comparisons.",
    )
    margin: float = Field(
        0.0, ge=0, le=10, description="Log-odds by which the winner should lead (bradley_terry); ties have none."
    )
    centre_coefficient: float = Field(
        0.01,
        ge=0,
        le=10,
        description="Weight of the squared mean score of a prompt's completions, which keeps scores near 0.",
    )
    epochs: float = Field(
        1.0, gt=0, le=100, description="Passes over the prompts. More than one soon learns the set by heart."
    )
    max_steps: int | None = Field(
        None, ge=1, description="End after so many optimiser steps even if the passes are not over."
    )
    prompts_per_step: int = Field(
        16, ge=1, le=100_000, description="Prompts, with all their completions, of one optimiser step."
    )
    learning_rate: float = Field(
        1e-4, gt=0, le=1, description="Highest learning rate of AdamW, reached at the end of the warm-up."
    )
    max_tokens: int | None = Field(
        None,
        ge=8,
        le=1_048_576,
        description=(
            "Longest prompt and completion together. A longer prompt is cut at its start; a completion is "
            "never cut, it is dropped and counted. Empty: the model's limit."
        ),
    )
    normalise_samples: int = Field(
        0,
        ge=0,
        le=100_000,
        description=(
            "After training, gain and offset give scores mean 0 and deviation 1 on so many fresh samples of "
            "the backbone; 0: on the training completions."
        ),
    )
    normalise_max_new_tokens: int = Field(128, ge=1, le=131_072, description="Longest of those samples.")
    bootstrap_rounds: int = Field(
        1000,
        ge=100,
        le=100_000,
        description="Rounds of the bootstrap over prompts behind the interval of the accuracy.",
    )


class PPOConfig(LoraConfig, OutputConfig):
    """Reinforcement of a policy by a reward model: PPO with a clipped or a KL-penalised objective, or REINFORCE."""

    title: ClassVar[str] = "PPO"
    description: ClassVar[str] = (
        "Improves a model on the project's prompts: it answers, the reward model scores, and answers above expectation "
        "become likelier, on a leash to where it started."
    )

    model: str = Field(
        min_length=1,
        description="The start of the policy, and the reference that the leash holds it to.",
        json_schema_extra=names("model"),
    )
    reward_model: str = Field(
        min_length=1,
        description="The reward model that scores answers. It must have been trained on this same model.",
        json_schema_extra=names("checkpoint"),
    )
    prompts: Split = Field("train", description=SPLIT_HELP)
    iterations: int = Field(100, ge=1, le=1_000_000, description="Rounds of answering, scoring and learning.")
    episodes_per_iteration: int = Field(64, ge=1, le=1_000_000, description="Answers in each round.")
    samples_per_prompt: int = Field(
        1, ge=1, le=1024, description="Answers to one prompt in a round; leave_one_out needs 2 or more."
    )
    objective: Literal["clip", "kl_penalty", "reinforce"] = Field(
        "clip",
        description=(
            "clip: PPO's clipped ratio. kl_penalty: the ratio less beta times the KL divergence of the step, with beta "
            "adapted to its target. reinforce: the plain policy gradient."
        ),
    )
    advantage_estimator: Literal["gae", "batch_mean", "leave_one_out"] = Field(
        "gae",
        description=(
            "What an answer is compared with. gae: a critic's expectation at each token. batch_mean: the mean of the "
            "round's other answers. leave_one_out: the mean of the other answers to the same prompt."
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
        10_000, gt=0, description="leash: answers over which lambda may about double or halve; fewer react faster."
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
    gae_lambda: float = Field(
        0.95, ge=0, le=1, description="gae: 1 trusts what was received, 0 what the critic expects next."
    )
    whiten_advantages: bool = Field(
        True, description="Advantages are scaled to mean 0 and variance 1 over the round's tokens."
    )
    critic: Literal["separate", "shared"] = Field(
        "separate",
        description=(
            "separate: the critic is an adapter of its own. shared: a linear head that reads the policy, without "
            "changing it; about half the work."
        ),
    )
    value_init: Literal["reward", "zero"] = Field(
        "reward", description="The critic starts as a copy of the reward model, or with a head that expects 0."
    )
    value_clip_range: float | None = Field(
        0.2, gt=0, description="How far a value may move in a round and still gain. Empty: as far as it wants."
    )
    score_clip: float = Field(
        5.0, gt=0, description="Scores, which are about 1 apart in deviation, are cut to at most this above or below 0."
    )
    missing_end_penalty: float = Field(
        1.0, ge=0, description="Taken off the score of an answer that was cut before it ended."
    )
    entropy_coefficient: float = Field(0.0, ge=0, le=10, description="Reward for keeping many tokens likely.")
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
        4, ge=0, le=64, description="Answers of each round that are kept for people to read, token by token."
    )

    @model_validator(mode="after")
    def _plan(self) -> Self:
        if self.episodes_per_iteration % self.samples_per_prompt:
            raise ValueError("episodes_per_iteration must be a multiple of samples_per_prompt.")
        if self.episodes_per_iteration < self.minibatches:
            raise ValueError("minibatches must not be more than episodes_per_iteration.")
        if self.objective == "reinforce" and self.advantage_estimator == "gae":
            raise ValueError(
                "advantage_estimator must be batch_mean or leave_one_out when objective is reinforce, which has no "
                "critic."
            )
        if self.objective == "reinforce" and (self.epochs, self.minibatches) != (1, 1):
            raise ValueError(
                "epochs and minibatches must be 1 when objective is reinforce: its gradient holds for one step only."
            )
        if self.advantage_estimator == "leave_one_out" and self.samples_per_prompt < 2:
            raise ValueError("samples_per_prompt must be 2 or more when advantage_estimator is leave_one_out.")
        if self.advantage_estimator == "batch_mean" and self.episodes_per_iteration < 2:
            raise ValueError("episodes_per_iteration must be 2 or more when advantage_estimator is batch_mean.")
        return self


class EvaluateConfig(SamplingConfig):
    """Several models answer the same prompts and are compared: reward, KL to a reference, win rates, lengths."""

    title: ClassVar[str] = "Evaluate models"
    description: ClassVar[str] = (
        "Compares models on the project's prompts: reward, distance to a reference, win rates, lengths, diversity, "
        "and texts side by side."
    )

    models: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        min_length=1,
        max_length=16,
        description="The models to compare; the first is the baseline of the win rates.",
        json_schema_extra=names("model"),
    )
    reference: str | None = Field(
        None,
        description="The model that KL is measured to. Empty: the first of the models.",
        json_schema_extra=names("model"),
    )
    reward_model: str | None = Field(
        None,
        description="The reward model that scores the completions. Empty: no scores and no win rates.",
        json_schema_extra=names("checkpoint"),
    )
    reward_set: str | None = Field(
        None,
        description="A reward set whose held-out prompts measure the reward model's accuracy. Empty: not measured.",
        json_schema_extra=names("reward_set"),
    )
    prompts: Split = Field("held_out", description=SPLIT_HELP)
    max_prompts: int | None = Field(None, ge=1, description="Use only so many prompts of the project. Empty: all.")
    samples_per_prompt: int = Field(1, ge=1, le=64, description="Completions of each model for each prompt.")
    tie_margin: float = Field(0.0, ge=0, le=10, description="Scores closer than this are a tie in the win rate.")
    bootstrap_rounds: int = Field(
        1000, ge=100, le=100_000, description="Rounds of the bootstrap over prompts behind the intervals."
    )
    shown_prompts: int = Field(
        8, ge=0, le=1000, description="Prompts whose completions are kept for people to read side by side."
    )
    tokens_per_microbatch: int = Field(
        16_384, ge=16, le=2**22, description="Tokens of one forward pass. It bounds memory only."
    )

    @model_validator(mode="after")
    def _accuracy(self) -> Self:
        if self.reward_set and not self.reward_model:
            raise ValueError("reward_model must be named when reward_set is: accuracy is a property of a reward model.")
        return self


CONFIGS: dict[str, type[RunConfig]] = {
    "pretrain": PretrainConfig,
    "sft": SFTConfig,
    "sample": SampleConfig,
    "reward_model": RewardModelConfig,
    "ppo": PPOConfig,
    "evaluate": EvaluateConfig,
}


def read_config(kind: str, values: dict[str, Any]) -> RunConfig:
    """The config of a run of `kind`, or `Invalid`: one plain sentence a fault, and the first field at fault."""
    if kind not in CONFIGS:
        raise Invalid(f"There is no run kind {kind!r}; there are {', '.join(sorted(CONFIGS))}.", field="kind")
    try:
        return CONFIGS[kind].model_validate(values)
    except ValidationError as error:
        faults = config_faults(error, CONFIGS[kind])
        raise Invalid(" ".join(message for _, message in faults), field=faults[0][0]) from None


def config_faults(error: ValidationError, config: type[RunConfig]) -> list[tuple[str | None, str]]:
    """(field, sentence) of each fault that pydantic found; the sentence names the field."""
    faults: list[tuple[str | None, str]] = []
    for fault in error.errors(include_url=False):
        field = ".".join(str(part) for part in fault["loc"]) or None
        if fault["type"] == "extra_forbidden":
            sentence = f"{field} is not a setting of this kind of run; it has {', '.join(sorted(config.model_fields))}."
        elif fault["type"] == "missing":
            sentence = f"{field} is missing."
        elif fault["type"] == "value_error":  # a rule between fields: its sentence opens with the field's name
            sentence = str(fault["ctx"]["error"])
            first = re.match(r"\w+", sentence)
            field = first.group() if first and first.group() in config.model_fields else field
        elif fault["type"] == "string_pattern_mismatch":
            sentence = f"{field} must look like namespace/name (letters, digits, '.', '_' and '-')."
        else:
            wish = fault["msg"]
            for opening in ("Input should be ", "Value should ", "Tuple should ", "String should "):
                wish = wish.removeprefix(opening)
            wish = wish if wish.startswith("have ") else f"be {wish}"
            sentence = f"{field} must {wish}, not {fault['input']!r}."
        faults.append((field, sentence))
    return faults
