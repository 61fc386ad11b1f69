"""What each kind of run is asked to do: one frozen class of settings a kind, a file each, named as its trainer.

The same class draws the form in the browser (its JSON schema), is stored with the run, and is the trainer's argument.
It knows nothing of torch, of SQL or of where files lie: services resolve the names in a config to files and folders
before the trainer starts (`job.json`), so a trainer only ever sees paths.
"""

import re
from typing import Any

from pydantic import ValidationError

from backend.domain.training.base import LoraConfig, OptimiserConfig, OutputConfig, RunConfig, SamplingConfig
from backend.domain.training.evaluate import EvaluateConfig
from backend.domain.training.ppo import PPOConfig
from backend.domain.training.pretrain import PretrainConfig
from backend.domain.training.reward_model import RewardModelConfig
from backend.domain.training.sample import SampleConfig
from backend.domain.training.sft import SFTConfig
from backend.errors import Invalid

__all__ = [
    "CONFIGS",
    "EvaluateConfig",
    "LoraConfig",
    "OptimiserConfig",
    "OutputConfig",
    "PPOConfig",
    "PretrainConfig",
    "RewardModelConfig",
    "RunConfig",
    "SFTConfig",
    "SampleConfig",
    "SamplingConfig",
    "config_faults",
    "read_config",
]

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
