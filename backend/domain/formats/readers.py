"""From rows to records: what each import format means, and guessing which one a file is.

Formats
    documents       {"text"}
    prompts         {"prompt": text or messages} or {"messages"} or {"text"}
    demonstrations  {"prompt" or "messages", "completion"}; without a prompt, messages that end with the answer
    completions     {"prompt", "model", "completion"}
    pairs, trl      {"prompt"?, "chosen", "rejected"}: texts or messages; without a prompt, it is their common beginning
    unpaired        {"prompt", "completion", "label"}: answers to one prompt in lines on end (`unpaired`)
    hh-rlhf         {"chosen", "rejected"}: transcripts of "Human:" and "Assistant:"
    judgments       {"prompt", "completions": [{"model"?, "text"}, ...] as shown, "ranks" or "winner", "annotator"?};
                    in CSV: prompt, completion_a, completion_b, model_a?, model_b?, winner (a, b, tie, none)
    arena           {"model_a", "model_b", "winner"} with conversations, or with prompt and responses (`arena`)
    llmfao          an archive or folder of that study (`llmfao`)
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import IO, Any, Literal, cast, get_args

from backend.domain.formats import arena, llmfao, pairs, rows, unpaired, votes
from backend.domain.formats.fields import Bad, completion_text, messages_of, model_of, prompt_of, text_of
from backend.domain.formats.records import (
    Answer,
    CompletionRecord,
    DemonstrationRecord,
    DocumentRecord,
    PromptRecord,
    Record,
    Rejected,
)
from backend.errors import Invalid

Format = Literal[
    "documents",
    "prompts",
    "demonstrations",
    "completions",
    "pairs",
    "trl",
    "unpaired",
    "judgments",
    "arena",
    "hh-rlhf",
    "llmfao",
]
FORMATS: tuple[str, ...] = get_args(Format)


def check_format(name: str) -> Format:
    """The format of this name. Raises Invalid."""
    if name in FORMATS:
        return cast(Format, name)
    raise Invalid(f"“{name[:40]}” is not a format; known are {', '.join(FORMATS)}.", field="format")


def guess(file: IO[bytes], filename: str) -> Format:
    """The format of a file, from its first readable row. Raises Invalid when it is none we know."""
    place = file.tell()
    try:
        if llmfao.is_archive(file):
            return "llmfao"
        for row in rows.read(file, filename):
            if not isinstance(row, Rejected):
                return _guess_row(row[1])
    finally:
        file.seek(place)
    raise Invalid("The file has no readable line, so its format cannot be told; name it.", field="format")


def _guess_row(row: Mapping[str, Any]) -> Format:
    keys = set(row)
    if {"chosen", "rejected"} <= keys:
        transcript = isinstance(row["chosen"], str) and "\n\nAssistant:" in row["chosen"] and "prompt" not in keys
        return "hh-rlhf" if transcript else "pairs"
    if arena.is_battle(row):
        return "arena"
    if keys & {"ranks", "winner"}:
        return "judgments"
    if isinstance(row.get("label"), bool) and keys >= {"completion", "label"}:
        return "unpaired"
    if "completion" in keys or "response" in keys:
        return "completions" if "model" in keys else "demonstrations"
    if "text" in keys and "prompt" not in keys:
        return "documents"
    if "messages" in keys:
        messages = row["messages"]
        ends_with_answer = isinstance(messages, list) and messages and _role(messages[-1]) == "assistant"
        return "demonstrations" if ends_with_answer else "prompts"
    if "prompt" in keys:
        return "prompts"
    columns = ", ".join(repr(key[:40]) for key in sorted(map(str, keys))[:12])
    raise Invalid(f"No format has the columns {columns}; name the format.", field="format")


def _role(message: Any) -> Any:
    return message.get("role") if isinstance(message, dict) else None


def read(format: Format, file: IO[bytes], filename: str = "") -> Iterator[Record | Rejected]:
    """Records of a file, in its order; lines that break the format come as `Rejected`."""
    if format == "llmfao":
        return llmfao.read(file)
    given = map(_given, rows.read(file, filename))
    if format == "unpaired":
        return unpaired.read(given)
    return _each(_READERS[format], given)


def _each(
    reader: Callable[[int, Mapping[str, Any]], Record], given: Iterable[rows.Row | Rejected]
) -> Iterator[Record | Rejected]:
    for row in given:
        if isinstance(row, Rejected):
            yield row
            continue
        try:
            yield reader(*row)
        except Bad as error:
            yield Rejected(row[0], str(error))


def _given(row: rows.Row | Rejected) -> rows.Row | Rejected:
    """The row without what it says nothing of."""
    if isinstance(row, Rejected):
        return row
    return row[0], {key: value for key, value in row[1].items() if _is_given(key, value)}


# Saying nothing is an answer too; any other empty text is a cell that was not filled in.
_ANSWERS = {"completion", "response", "answer", "chosen", "rejected"} | {
    f"{name}_{side}" for name in ("completion", "response") for side in "ab"
}


def _is_given(key: str, value: Any) -> bool:
    return value is not None and (value != "" or key in _ANSWERS)


# --- one reader a format --------------------------------------------------------------------------------------------


def _document(line: int, row: Mapping[str, Any]) -> Record:
    return DocumentRecord(line, text_of(row, "text", "document", "content"))


def _prompt_record(line: int, row: Mapping[str, Any]) -> Record:
    if "text" in row and not row.keys() & {"prompt", "messages"}:
        return PromptRecord(line, messages_of(row["text"], "text"))
    return PromptRecord(line, prompt_of(row))


def _demonstration(line: int, row: Mapping[str, Any]) -> Record:
    if row.keys() & {"completion", "response", "answer"}:
        text = completion_text(row)
        if not text.strip():
            raise Bad("completion is empty, and nothing cannot be imitated")
        return DemonstrationRecord(line, prompt_of(row), text)
    if "messages" not in row:
        raise Bad("completion is missing or empty")
    messages = messages_of(row["messages"], "messages")
    if len(messages) < 2 or messages[-1]["role"] != "assistant":
        raise Bad("messages do not end with an answer of the assistant")
    return DemonstrationRecord(line, messages[:-1], messages[-1]["content"])


def _completion(line: int, row: Mapping[str, Any]) -> Record:
    if "model" not in row:
        raise Bad("model is missing")
    return CompletionRecord(line, prompt_of(row), Answer(model_of(row), completion_text(row)))


_READERS: dict[Format, Callable[[int, Mapping[str, Any]], Record]] = {
    "documents": _document,
    "prompts": _prompt_record,
    "demonstrations": _demonstration,
    "completions": _completion,
    "pairs": pairs.pair,
    "trl": pairs.pair,
    "hh-rlhf": pairs.transcripts,
    "judgments": votes.judgment,
    "arena": arena.battle,
}
