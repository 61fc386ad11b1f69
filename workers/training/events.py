"""What a trainer yields while it works, as JSON-ready records; knows nothing of who reads them.

`launch.py` prints each one as a line. Metric names form one tree (`policy/clip_fraction`) that the trainer's docstring
lists.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Message = Mapping[str, str]
"""One chat message: {"role", "content"}."""


def _finite(value: float) -> float | None:
    """JSON has no infinities; a metric that is one is shown as missing."""
    return value if math.isfinite(value) else None


@dataclass(frozen=True, slots=True)
class Progress:
    """Where the work stands. `total` is None when unknown."""

    step: int
    total: int | None
    phase: str

    def to_json(self) -> dict[str, Any]:
        return {"type": "progress", "step": self.step, "total": self.total, "phase": self.phase}


@dataclass(frozen=True, slots=True)
class StepMetrics:
    """The numbers of one step, by name."""

    step: int
    values: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        return {"type": "metrics", "step": self.step, "values": {k: _finite(float(v)) for k, v in self.values.items()}}


def _short(value: float) -> float | None:
    """Four digits, which is more than a colour tells: of an answer's tokens the digits are most of what is stored."""
    return float(f"{value:.4g}") if math.isfinite(value) else None


@dataclass(frozen=True, slots=True)
class SampleToken:
    """One token of a sampled completion, with what the method saw at it."""

    text: str
    kl: float
    value: float
    advantage: float

    def to_json(self) -> dict[str, Any]:
        return {
            "text": self.text,
            "kl": _short(self.kl),
            "value": _short(self.value),
            "advantage": _short(self.advantage),
        }


@dataclass(frozen=True, slots=True)
class Sample:
    """One prompt with what the model said, for people to read."""

    step: int
    prompt: Sequence[Message]
    completion: str
    values: Mapping[str, float] = field(default_factory=dict)
    tokens: Sequence[SampleToken] | None = None

    def to_json(self) -> dict[str, Any]:
        out: dict[str, Any] = {
            "type": "sample",
            "step": self.step,
            "prompt": [dict(message) for message in self.prompt],
            "completion": self.completion,
            "values": {k: _finite(float(v)) for k, v in self.values.items()},
        }
        if self.tokens is not None:
            out["tokens"] = [token.to_json() for token in self.tokens]
        return out


@dataclass(frozen=True, slots=True)
class Warned:
    """Something that a person should know, found by a rule at a step; the run's page shows it."""

    step: int
    rule: str
    message: str

    def to_json(self) -> dict[str, Any]:
        return {"type": "warning", "step": self.step, "rule": self.rule, "message": self.message}


@dataclass(frozen=True, slots=True)
class StateSaved:
    """A state from which the run can go on was saved whole."""

    step: int

    def to_json(self) -> dict[str, Any]:
        return {"type": "state", "step": self.step}


@dataclass(frozen=True, slots=True)
class Result:
    """The end: final numbers, and tables of numbers by name; the output folder is complete."""

    values: Mapping[str, float]
    tables: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        values = {k: _finite(float(v)) for k, v in self.values.items()}
        return {"type": "result", "values": {**values, **self.tables}}


Event = Progress | StepMetrics | Sample | Warned | StateSaved | Result
