"""What each kind of run is asked to do: one frozen class of settings a kind, a file each, named as its trainer.

The same class draws the form in the browser (its JSON schema), is stored with the run, and is the trainer's argument.
It knows nothing of torch, of SQL or of where files lie: services resolve the names in a config to files and folders
before the trainer starts (`job.json`), so a trainer only ever sees paths.
"""

import difflib
import re
from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from backend.domain.training.base import (
    ADDRESS,
    KEY_VARIABLE,
    KEY_VARIABLE_HELP,
    NAME_PATTERN,
    LoraConfig,
    OptimiserConfig,
    OutputConfig,
    RunConfig,
    SamplingConfig,
)
from backend.domain.training.evaluate import EvaluateConfig
from backend.domain.training.ppo import PPOConfig
from backend.domain.training.pretrain import PretrainConfig
from backend.domain.training.reward_model import RewardModelConfig
from backend.domain.training.sample import SampleConfig
from backend.domain.training.scorers import FUNCTION, SCORER_NAME
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

WISHES = {
    NAME_PATTERN: "look like namespace/name (letters, digits, '.', '_' and '-')",
    KEY_VARIABLE: f"be the name of an environment variable, {KEY_VARIABLE_HELP}",
    SCORER_NAME: "be of small letters, digits and '_', beginning with a letter, at most 40",
    FUNCTION: "look like file.py:function",
    ADDRESS: "begin with http:// or https://",
}
"""What a field with a pattern wants, in words."""


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
            there = _settings_at(config, fault["loc"])
            near = difflib.get_close_matches(str(fault["loc"][-1]), there, n=1)
            wish = f"perhaps {near[0]} is meant." if near else f"there are {', '.join(sorted(there))}."
            sentence = f"{field} is not a setting of this kind of run; {wish}"
        elif fault["type"] == "missing":
            sentence = f"{field} is missing."
        elif fault["type"] == "value_error":  # a rule between fields: its sentence opens with the field's name
            sentence = str(fault["ctx"]["error"])
            first = re.match(r"\w+", sentence)
            field = first.group() if first and first.group() in config.model_fields else field
        elif fault["type"] == "string_pattern_mismatch":
            sentence = f"{field} must {WISHES[fault['ctx']['pattern']]}, not {fault['input']!r}."
        else:
            wish = fault["msg"]
            for opening in ("Input should be ", "Value should ", "Tuple should ", "String should "):
                wish = wish.removeprefix(opening)
            wish = wish if wish.startswith("have ") else f"be {wish}"
            sentence = f"{field} must {wish}, not {fault['input']!r}."
        faults.append((field, sentence))
    return faults


def _settings_at(config: type[BaseModel], place: Sequence[str | int]) -> list[str]:
    """The names that could stand where `place` ends: of the run's settings, or of an object among them."""
    for part in place[:-1]:
        if isinstance(part, str) and (inner := _object_in(config.model_fields[part].annotation)):
            config = inner
    return list(config.model_fields)


def _object_in(annotation: Any) -> type[BaseModel] | None:
    """The class of an object within a type such as `tuple[Scorer, ...]` or `Engine | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_object_in, get_args(annotation))), None)
