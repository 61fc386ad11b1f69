"""What all requests and answers share on the wire: base models, ids, times, pages. Knows no noun and no table."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Generic, TypeVar
from uuid import UUID

from fastapi import Query
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
)

from backend.services.pages import DEFAULT_LIMIT, paginate, paginate_rows

__all__ = [
    "After",
    "Body",
    "Id",
    "IdStr",
    "Limit",
    "Page",
    "Problem",
    "ShareOut",
    "Time",
    "TimeIn",
    "UtcOffset",
    "Wire",
    "midnight",
    "paginate",
    "paginate_rows",
]

T = TypeVar("T")


def _as_utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


def _is_iso_text(value: object) -> object:
    if not isinstance(value, str | datetime) or (isinstance(value, str) and "-" not in value):
        raise ValueError("must be a time such as 2026-01-31T12:00:00Z")
    return value


def _has_zone(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("must name its time zone, as in 2026-01-31T12:00:00Z")
    return value.astimezone(UTC)


# Answers: any id column as a string; any time in UTC, which pydantic writes with a trailing Z.
IdStr = Annotated[str, BeforeValidator(str)]
Time = Annotated[datetime, AfterValidator(_as_utc)]

# Requests: JSON has neither ids nor times, so these two accept text where the rest of a body is strict.
Id = Annotated[UUID, Field(strict=False)]
TimeIn = Annotated[
    datetime,
    Field(strict=False),
    BeforeValidator(_is_iso_text),
    AfterValidator(_has_zone),
]

# Parameters of every list.
After = Annotated[
    str | None,
    Query(
        max_length=100,
        description="Continue after this cursor, which is `next` of the page before.",
    ),
]
Limit = Annotated[
    int,
    Query(ge=1, le=200, description=f"How many at most; {DEFAULT_LIMIT} unless told."),
]


# So that a day begins when it does for whoever asks.
UtcOffset = Annotated[int, Query(ge=-14 * 60, le=14 * 60, description="so that `today` is yours")]


def midnight(utc_offset_minutes: int) -> datetime:
    """When the day began for somebody whose clock is so far from UTC."""
    local = datetime.now(UTC) + timedelta(minutes=utc_offset_minutes)
    return local.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(minutes=utc_offset_minutes)


class Wire(BaseModel):
    """An answer. Reads rows by attribute, and names each field, so that a new column never leaks by itself."""

    model_config = ConfigDict(from_attributes=True)


class Body(BaseModel):
    """A request body: unknown fields are refused, and so is a "1" where a number belongs."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    @field_validator("*", mode="after")
    @classmethod
    def _storable(cls, value: Any) -> Any:
        if not _is_storable(value):
            raise ValueError("holds a character that cannot be stored (NUL or half of a surrogate pair)")
        return value


def _is_storable(value: object) -> bool:
    """PostgreSQL text has no NUL, and UTF-8 has no lone surrogates; JSON can carry both."""
    if isinstance(value, str):
        return "\0" not in value and (value.isascii() or not any("\ud800" <= c <= "\udfff" for c in value))
    if isinstance(value, BaseModel):
        return _is_storable(value.__dict__)
    if isinstance(value, dict):
        return all(_is_storable(k) and _is_storable(v) for k, v in value.items())
    if isinstance(value, list | tuple):
        return all(map(_is_storable, value))
    return True


class Page(Wire, Generic[T]):
    """Some of a longer list; `next` continues it, null when this was the end."""

    items: list[T]
    next: str | None = None


class FieldProblem(Wire):
    """What is wrong with one field."""

    field: str
    message: str


class Problem(Wire):
    """Every error, as `application/problem+json` (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    field: str | None = None
    errors: list[FieldProblem] | None = None
    request: str | None = Field(
        default=None,
        description="Id of the request, which the server's log has as well.",
    )


class ShareOut(Wire):
    """A share of `n` cases with its 95 % Wilson interval."""

    share: float
    low: float
    high: float
    n: int
