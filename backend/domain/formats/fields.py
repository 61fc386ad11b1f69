"""Single fields of an imported row: what each may hold, and in which words a wrong one is refused."""

import json
import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from backend.domain.formats.records import (
    UNKNOWN_ANNOTATOR,
    UNKNOWN_MODEL,
    Message,
    Messages,
    imported_model,
    unstorable,
)
from backend.domain.judgments import dense

ROLES = ("system", "user", "assistant", "tool")


class Bad(Exception):
    """A row breaks its format; the message names the field."""


def text_of(row: Mapping[str, Any], *names: str, empty: bool = False) -> str:
    for name in names:
        if name in row:
            value = row[name]
            if not isinstance(value, str):
                raise Bad(f"{name} is text, not {type(value).__name__}")
            check_storable(value, name)
            if value.strip() or empty:
                return value
    raise Bad(f"{' or '.join(names)} is missing or empty")


def check_storable(value: str, field: str) -> None:
    if found := unstorable(value):
        raise Bad(f"{field} holds {found}")


def messages_of(value: Any, field: str) -> Messages:
    """Chat messages out of a list of {"role", "content"}, a text (one user message), or JSON of either (CSV)."""
    value = from_cell(value)
    if isinstance(value, str):
        return [{"role": "user", "content": text_of({field: value}, field)}]
    if not isinstance(value, list) or not value:
        raise Bad(f"{field} is a text or a list of messages")
    messages: list[Message] = []
    for place, message in enumerate(value, start=1):
        if not isinstance(message, dict):
            raise Bad(f"message {place} of {field} is not an object with role and content")
        role = message.get("role", _SHARE_GPT.get(str(message.get("from"))))
        if role not in ROLES:
            raise Bad(f"message {place} of {field} has the role {str(role)[:40]!r}; known are {', '.join(ROLES)}")
        content = _parts(message.get("content", message.get("value")))
        if not isinstance(content, str):
            raise Bad(f"message {place} of {field} has no text in content")
        messages.append({"role": role, "content": text_of({"content": content}, "content", empty=True)})
    return messages


_SHARE_GPT = {"human": "user", "gpt": "assistant", "system": "system", "tool": "tool"}


def _parts(content: Any) -> Any:
    """The text of a content in parts, all of which are texts."""
    if isinstance(content, list) and content and all(isinstance(part, dict) for part in content):
        texts = [part.get("text") for part in content]
        if all(isinstance(text, str) and not part.get("image") for text, part in zip(texts, content, strict=True)):
            return "\n\n".join(texts)
    return content


def from_cell(value: Any) -> Any:
    """A list of messages out of its JSON, as it stands in CSV; anything else as it is."""
    if isinstance(value, str) and value.lstrip()[:1] == "[" and ('"role"' in value or '"from"' in value):
        try:
            messages = json.loads(value)
        except (ValueError, RecursionError):
            return value
        if isinstance(messages, list) and all(isinstance(message, dict) for message in messages):
            return messages
    return value


def prompt_of(row: Mapping[str, Any]) -> Messages:
    for name in ("messages", "prompt", "question", "instruction"):
        if name in row:
            messages = messages_of(row[name], name)
            if messages[-1]["role"] == "assistant":
                raise Bad(f"{name} ends with an answer; a prompt ends before it")
            return messages
    raise Bad("prompt (or messages) is missing or empty")


def completion_text(row: Mapping[str, Any]) -> str:
    for name in ("completion", "response", "answer"):
        if isinstance(row.get(name), list):
            messages = messages_of(row[name], name)
            if len(messages) != 1 or messages[0]["role"] != "assistant":
                raise Bad(f"{name} is one message of the assistant")
            return messages[0]["content"]
    return text_of(row, "completion", "response", "answer", empty=True)


def model_of(row: Mapping[str, Any], field: str = "model") -> str:
    if field not in row:
        return UNKNOWN_MODEL
    name = str(row[field]).strip()
    if len(name) > 200 or not name:
        raise Bad(f"{field} is a name of at most 200 characters")
    check_storable(name, field)
    return imported_model(name)


def annotator_of(row: Mapping[str, Any]) -> str:
    for name in ("annotator", "worker", "judge", "judge_hash", "user"):
        if name in row:
            annotator = str(row[name]).strip()
            check_storable(annotator, name)
            if len(annotator) > 200:
                raise Bad(f"{name} is a name of at most 200 characters")
            return annotator or UNKNOWN_ANNOTATOR
    return UNKNOWN_ANNOTATOR


def number_of(row: Mapping[str, Any], field: str, pattern: str, what: str) -> int | None:
    """A whole number, in CSV as text; a column with gaps may come as 3.0."""
    if field not in row:
        return None
    number = str(row[field]).removesuffix(".0")
    if not re.fullmatch(pattern, number):
        raise Bad(f"{field} is {what}")
    return int(number)


def ranks_of(ranks: Any, field: str, size: int) -> tuple[int, ...]:
    if isinstance(ranks, str):
        ranks = from_json(ranks, field)
    if isinstance(ranks, list):
        # Parquet and pandas write whole numbers with gaps as 3.0.
        ranks = [int(rank) if isinstance(rank, float) and rank.is_integer() else rank for rank in ranks]
    if not isinstance(ranks, list) or not all(isinstance(rank, int) and not isinstance(rank, bool) for rank in ranks):
        raise Bad(f"{field} is a list of whole numbers")
    if len(ranks) != size:
        raise Bad(f"{field} has {len(ranks)} entries for {size} completions")
    return dense(ranks)


_WINNERS: dict[str, tuple[int, int] | None] = {
    "a": (1, 2), "left": (1, 2), "model_a": (1, 2), "0": (1, 2),
    "b": (2, 1), "right": (2, 1), "model_b": (2, 1), "1": (2, 1),
    "tie": (1, 1), "draw": (1, 1), "equal": (1, 1),
    "none": None, "neither": None, "both_bad": None, "bothbad": None, "tie (bothbad)": None,
}  # fmt: skip


def winner_of(row: Mapping[str, Any]) -> tuple[int, int] | None:
    """Ranks of two; None: neither was good."""
    winner = str(row["winner"]).strip().lower()
    if winner not in _WINNERS:
        raise Bad(f"winner is a, b, tie or none, not {winner[:40]!r}")
    return _WINNERS[winner]


def id_of(row: Mapping[str, Any], field: str) -> UUID | None:
    """An id that we may have given; studies of others have ids of their own kind."""
    try:
        return UUID(str(row[field])) if field in row else None
    except ValueError:
        return None


def from_json(text: str, field: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Bad(f"{field} is not JSON: {error}") from error
