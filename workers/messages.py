"""What a trainer's process says, line by line, checked before anything of it reaches the database.

A line of its standard output is one JSON object with a `type`; everything else it writes is a line of the run's log.
Numbers that JSON does not have become null, and characters that PostgreSQL does not keep are replaced.
"""

import json
import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from backend.services.corpus import clean

LONGEST_LINE = 4000
Step = Annotated[int, Field(ge=0, lt=2**53)]


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ProgressMessage(_Message):
    """Where the work stands; `total` is null when unknown."""

    type: Literal["progress"]
    step: Step
    total: Step | None = None
    phase: Annotated[str, Field(max_length=400)] | None = None


class MetricsMessage(_Message):
    """Numbers of a step."""

    type: Literal["metrics"]
    step: Step
    values: dict[str, float | None]


class SampleMessage(_Message):
    """A text for people to read."""

    type: Literal["sample"]
    step: Step
    prompt: list[dict[str, Any]]
    completion: str
    values: dict[str, Any] = {}
    tokens: list[dict[str, Any]] | None = None


class WarningMessage(_Message):
    """Something that a person should know, found by a rule at a step."""

    type: Literal["warning"]
    step: Step
    rule: Annotated[str, Field(max_length=60)]
    message: Annotated[str, Field(max_length=2000)]


class StateMessage(_Message):
    """A state from which the run can go on was saved whole."""

    type: Literal["state"]
    step: Step


class ResultMessage(_Message):
    """The work is done: final numbers, and the output folder is complete."""

    type: Literal["result"]
    values: dict[str, Any]


class ErrorMessage(_Message):
    """What is wrong and what to do, in one plain sentence."""

    type: Literal["error"]
    message: str


class LogLine(_Message):
    """A line of the run's log."""

    type: Literal["log"] = "log"
    line: str


Reported = (
    ProgressMessage | MetricsMessage | SampleMessage | WarningMessage | StateMessage | ResultMessage | ErrorMessage
)
Message = Reported | LogLine
_reported: TypeAdapter[Reported] = TypeAdapter(Annotated[Reported, Field(discriminator="type")])


def read(line: bytes) -> Message:
    """The message in a line of standard output; whatever cannot be read is a line of the log."""
    try:
        content = json.loads(line)
        if isinstance(content, dict):
            return _reported.validate_python(storable(content))
    except (ValueError, RecursionError, ValidationError):
        pass
    return log_line(line)


def log_line(line: bytes) -> LogLine:
    """A line as it was written, shortened when it is endless."""
    text = clean(line.decode("utf-8", "replace").rstrip())
    return LogLine(line=text if len(text) <= LONGEST_LINE else text[:LONGEST_LINE] + " …")


def storable(value: Any) -> Any:
    """The same JSON without what PostgreSQL refuses: not-a-number, infinities, NUL, halves of characters."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {clean(str(key)): storable(one) for key, one in value.items()}
    if isinstance(value, list):
        return [storable(one) for one in value]
    return value
