"""What import files are read into, whatever their format: plain facts, each with the line it came from."""

import re
from dataclasses import dataclass
from uuid import UUID

from backend.domain.spans import Span

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")

Message = dict[str, str]
Messages = list[Message]

# The answers of an unnamed author: pairs of them rate the completions, never a model.
UNKNOWN_MODEL = "imported/unknown"
UNKNOWN_ANNOTATOR = "unknown"


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line that could not be read, and why; the rest of the file is read all the same."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class DocumentRecord:
    """A text to pretrain on."""

    line: int
    text: str


@dataclass(frozen=True, slots=True)
class PromptRecord:
    """Chat messages that end before the answer."""

    line: int
    messages: Messages


@dataclass(frozen=True, slots=True)
class DemonstrationRecord:
    """A prompt with an answer worth imitating."""

    line: int
    messages: Messages
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model (`imported/...`, or a registered name) gave for a prompt."""

    model: str
    text: str


@dataclass(frozen=True, slots=True)
class CompletionRecord:
    """A prompt with an answer to be judged."""

    line: int
    messages: Messages
    answer: Answer


@dataclass(frozen=True, slots=True)
class JudgmentRecord:
    """What somebody said of several answers, in the order they were shown; `ranks` None: none was acceptable."""

    line: int
    messages: Messages
    answers: tuple[Answer, ...]
    ranks: tuple[int, ...] | None
    annotator: str = UNKNOWN_ANNOTATOR
    strength: int | None = None
    # Ranks by the name of the aspect, in the same order.
    aspects: dict[str, tuple[int, ...]] | None = None
    comment: str | None = None
    active_ms: int | None = None
    ideal_answer: str | None = None
    spans: tuple[Span, ...] = ()
    guidelines_version: int | None = None
    # "regular", or "gold" or "repeat", which never rate.
    kind: str = "regular"
    gold_right: bool | None = None
    # The id it has in the project that it was exported from.
    origin: UUID | None = None


Record = DocumentRecord | PromptRecord | DemonstrationRecord | CompletionRecord | JudgmentRecord


def imported_model(name: str) -> str:
    """The registry name of a model of which only answers are known; its own name is kept letter by letter."""
    return name if name.startswith("imported/") else f"imported/{name}"


def unstorable(text: str) -> str | None:
    """What a text holds that the database cannot keep, if anything."""
    found = _UNSTORABLE.search(text)
    if found is None:
        return None
    return "the character NUL" if found.group() == "\0" else "half of a surrogate pair"


def weight(record: Record | Rejected) -> int:
    """About how many characters of text it holds."""
    match record:
        case JudgmentRecord():
            said = sum(len(answer.text) for answer in record.answers)
        case CompletionRecord():
            said = len(record.answer.text)
        case DemonstrationRecord() | DocumentRecord():
            said = len(record.text)
        case _:
            said = 0
    return said + sum(len(message["content"]) for message in getattr(record, "messages", ()))
