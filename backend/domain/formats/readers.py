"""From rows to records: what each import format means, and guessing which one a file is.

Formats
    documents       {"text"}
    prompts         {"prompt": text or messages} or {"messages"} or {"text"}
    demonstrations  {"prompt" or "messages", "completion"}; without a prompt, messages that end with the answer
    completions     {"prompt", "model", "completion"}
    pairs, trl      {"prompt"?, "chosen", "rejected"}: texts or messages; without a prompt, it is their common beginning
    hh-rlhf         {"chosen", "rejected"}: transcripts of "Human:" and "Assistant:"
    judgments       {"prompt", "completions": [{"model"?, "text"}, ...] as shown, "ranks" or "winner", "annotator"?};
                    in CSV: prompt, completion_a, completion_b, model_a?, model_b?, winner (a, b, tie, none)
    llmfao          an archive or folder of that study (`llmfao`)
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, Any, Literal, cast, get_args

from pydantic import ValidationError

from backend.domain.formats import llmfao, rows
from backend.domain.formats.fields import (
    Bad,
    annotator_of,
    check_storable,
    from_cell,
    from_json,
    messages_of,
    model_of,
    number_of,
    prompt_of,
    ranks_of,
    text_of,
)
from backend.domain.formats.records import (
    Answer,
    CompletionRecord,
    DemonstrationRecord,
    DocumentRecord,
    JudgmentRecord,
    Message,
    Messages,
    PromptRecord,
    Record,
    Rejected,
)
from backend.domain.judgments import MAX_SIZE
from backend.domain.spans import MAX_SPANS, Span
from backend.errors import Invalid

Format = Literal[
    "documents", "prompts", "demonstrations", "completions", "pairs", "judgments", "hh-rlhf", "trl", "llmfao"
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
    if keys & {"ranks", "winner"}:
        return "judgments"
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
        yield from llmfao.read(file)
        return
    reader = _READERS[format]
    for row in rows.read(file, filename):
        if isinstance(row, Rejected):
            yield row
            continue
        line, values = row
        try:
            yield reader(line, {key: value for key, value in values.items() if _is_given(key, value)})
        except Bad as error:
            yield Rejected(line, str(error))


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
        text = _completion_text(row)
        if not text.strip():
            raise Bad("completion is empty, and nothing cannot be imitated")
        return DemonstrationRecord(line, prompt_of(row), text)
    if "messages" not in row:
        raise Bad("completion is missing or empty")
    messages = messages_of(row["messages"], "messages")
    if len(messages) < 2 or messages[-1]["role"] != "assistant":
        raise Bad("messages do not end with an answer of the assistant")
    return DemonstrationRecord(line, messages[:-1], messages[-1]["content"])


def _completion_text(row: Mapping[str, Any]) -> str:
    for name in ("completion", "response", "answer"):
        if isinstance(row.get(name), list):
            messages = messages_of(row[name], name)
            if len(messages) != 1 or messages[0]["role"] != "assistant":
                raise Bad(f"{name} is one message of the assistant")
            return messages[0]["content"]
    return text_of(row, "completion", "response", "answer", empty=True)


def _completion(line: int, row: Mapping[str, Any]) -> Record:
    if "model" not in row:
        raise Bad("model is missing")
    return CompletionRecord(line, prompt_of(row), Answer(model_of(row), _completion_text(row)))


def _pair(line: int, row: Mapping[str, Any]) -> Record:
    if not {"chosen", "rejected"} <= row.keys():
        raise Bad(f"{'chosen' if 'chosen' not in row else 'rejected'} is missing or empty")
    chosen, rejected = from_cell(row["chosen"]), from_cell(row["rejected"])
    if row.keys() & {"prompt", "messages", "question", "instruction"}:
        messages = prompt_of(row)
        answers = [_last_answer(chosen, "chosen", messages), _last_answer(rejected, "rejected", messages)]
    elif isinstance(chosen, list):
        first, second = messages_of(chosen, "chosen"), messages_of(rejected, "rejected")
        messages = _common(first, second)
        answers = [_last_answer(first, "chosen", messages), _last_answer(second, "rejected", messages)]
    elif isinstance(chosen, str) and "\n\nAssistant:" in chosen:
        return _transcripts(line, row)
    else:
        messages, answers = _common_text(text_of(row, "chosen"), text_of(row, "rejected"))
    return _judged_pair(line, row, messages, answers)


def _last_answer(value: Any, field: str, prompt: Messages) -> str:
    """The answer in a text, or in messages that may repeat the prompt first."""
    if isinstance(value, str):
        return text_of({field: value}, field, empty=True)
    messages = messages_of(value, field)
    if messages[: len(prompt)] == prompt:
        messages = messages[len(prompt) :]
    if len(messages) != 1 or messages[0]["role"] != "assistant":
        raise Bad(f"{field} is not one answer of the assistant after the prompt")
    return messages[0]["content"]


def _common(first: Sequence[Message], second: Sequence[Message]) -> Messages:
    size = 0
    while size < min(len(first), len(second)) - 1 and first[size] == second[size]:
        size += 1
    if size == 0:
        raise Bad("chosen and rejected have no common beginning, so there is no prompt")
    return list(first[:size])


def _common_text(first: str, second: str) -> tuple[Messages, list[str]]:
    """A prompt that both texts repeat before their answers: their common beginning, up to the last whole word."""
    size = next(
        (i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second))
    )
    while size and not first[size - 1].isspace():
        size -= 1
    # The space before the answer belongs to it, as a language model goes on from the prompt.
    size = len(first[:size].rstrip())
    if size == 0:
        raise Bad("prompt is missing, and chosen and rejected have no common beginning that could be it")
    return [{"role": "user", "content": first[:size]}], [first[size:], second[size:]]


_TURN = re.compile(r"\n\n(Human|Assistant):")


def _turns(text: str, field: str) -> Messages:
    parts = _TURN.split(text)
    if parts[0].strip() or len(parts) < 5:
        raise Bad(f"{field} is not a transcript of Human: and Assistant: turns")
    messages: Messages = []
    for speaker, said in zip(parts[1::2], parts[2::2], strict=True):
        role = "user" if speaker == "Human" else "assistant"
        if messages and messages[-1]["role"] == role:
            messages[-1]["content"] += f"\n\n{said.strip()}"
        else:
            messages.append({"role": role, "content": said.strip()})
    if messages[-1]["role"] != "assistant":
        raise Bad(f"{field} does not end with the assistant")
    return messages


def _transcripts(line: int, row: Mapping[str, Any]) -> Record:
    first, second = _turns(text_of(row, "chosen"), "chosen"), _turns(text_of(row, "rejected"), "rejected")
    if len(first) != len(second) or first[:-1] != second[:-1]:
        # Dialogues that part earlier are compared from there on: the rest is one long answer.
        size = len(_common(first, second))
        size -= 1 - size % 2
        if size < 1:
            raise Bad("chosen and rejected have no common beginning, so there is no prompt")
        answers = [_tail(first, size), _tail(second, size)]
    else:
        size = len(first) - 1
        answers = [first[-1]["content"], second[-1]["content"]]
    if not answers[0] and not answers[1]:
        raise Bad("both answers are empty")
    return _judged_pair(line, row, first[:size], answers)


def _tail(messages: Messages, size: int) -> str:
    said = messages[size:]
    return said[0]["content"] + "".join(
        f"\n\n{'Human' if m['role'] == 'user' else 'Assistant'}: {m['content']}" for m in said[1:]
    )


def _judged_pair(line: int, row: Mapping[str, Any], messages: Messages, answers: Sequence[str]) -> Record:
    """Which side the chosen one stood on is not told; a side from its hash keeps "always left" out of the data."""
    if answers[0] == answers[1]:
        raise Bad("chosen and rejected are the same")
    chosen = Answer(model_of(row, "chosen_model"), answers[0])
    rejected = Answer(model_of(row, "rejected_model"), answers[1])
    flip = hashlib.sha256("\0".join(sorted(answers)).encode()).digest()[0] % 2 == (answers[0] < answers[1])
    return JudgmentRecord(
        line,
        messages,
        (rejected, chosen) if flip else (chosen, rejected),
        (2, 1) if flip else (1, 2),
        annotator=annotator_of(row),
    )


_WINNERS: dict[str, tuple[int, int] | None] = {
    "a": (1, 2), "left": (1, 2), "model_a": (1, 2), "0": (1, 2),
    "b": (2, 1), "right": (2, 1), "model_b": (2, 1), "1": (2, 1),
    "tie": (1, 1),
    "none": None, "both_bad": None, "bothbad": None, "tie (bothbad)": None,
}  # fmt: skip


def _judgment(line: int, row: Mapping[str, Any]) -> Record:
    answers = _answers(row)
    return JudgmentRecord(
        line,
        prompt_of(row),
        answers,
        _verdict(row, len(answers)),
        annotator=annotator_of(row),
        strength=number_of(row, "strength", "[1-4]", "a number from 1 to 4"),
        aspects=_aspects(row, len(answers)),
        comment=text_of(row, "comment", empty=True) if "comment" in row else None,
        active_ms=number_of(row, "active_ms", "[0-9]{1,9}", "a whole number of milliseconds"),
        ideal_answer=text_of(row, "ideal_answer", empty=True) if "ideal_answer" in row else None,
        spans=_spans(row, len(answers)),
        guidelines_version=number_of(row, "guidelines_version", "[0-9]{1,6}", "the number of a version"),
        # Other studies may have a column of this name that means something else.
        gold_right=_YES_OR_NO.get(str(row.get("gold_right")).lower()),
        kind="gold" if row.get("kind") == "gold" else "repeat" if row.get("kind") == "repeat" else "regular",
    )


_YES_OR_NO = {"true": True, "false": False}


def _spans(row: Mapping[str, Any], size: int) -> tuple[Span, ...]:
    spans = row.get("spans")
    if isinstance(spans, str):
        spans = from_json(spans, "spans")
    if spans is None:
        return ()
    if not isinstance(spans, list) or len(spans) > MAX_SPANS:
        raise Bad(f"spans is a list of at most {MAX_SPANS} marked parts")
    try:
        read = tuple(Span.model_validate(span) for span in spans)
    except ValidationError as error:
        raise Bad(f"spans cannot be read: {error.errors()[0]['msg']}") from error
    for span in read:
        if span.completion >= size:
            raise Bad(f"spans name completion {span.completion} of {size}, counted from 0")
        check_storable(span.quote + span.remark, "spans")
    return read


def _verdict(row: Mapping[str, Any], size: int) -> tuple[int, ...] | None:
    if "ranks" in row:
        return ranks_of(row["ranks"], "ranks", size)
    if "winner" in row:
        winner = str(row["winner"]).strip().lower()
        if size != 2 or winner not in _WINNERS:
            raise Bad(f"winner is a, b, tie or none, not {winner[:40]!r}")
        return _WINNERS[winner]
    if row.get("none_acceptable") in (True, "true", "True", "1"):
        return None
    raise Bad("ranks (or winner, or none_acceptable) is missing")


def _aspects(row: Mapping[str, Any], size: int) -> dict[str, tuple[int, ...]] | None:
    aspects = row.get("aspects")
    if isinstance(aspects, str):
        aspects = from_json(aspects, "aspects")
    if aspects is None:
        return None
    if not isinstance(aspects, dict):
        raise Bad("aspects is an object of names and their ranks")
    for name in aspects:
        check_storable(name, "aspects")
    return {name[:80]: ranks_of(ranks, f"aspects.{name[:80]}", size) for name, ranks in aspects.items()} or None


def _answers(row: Mapping[str, Any]) -> tuple[Answer, ...]:
    if "completions" not in row:
        return tuple(
            Answer(model_of(row, f"model_{side}"), text_of(row, f"completion_{side}", f"response_{side}", empty=True))
            for side in "ab"
        )
    listed = row["completions"]
    if isinstance(listed, str):
        listed = from_json(listed, "completions")
    if not isinstance(listed, list) or not 2 <= len(listed) <= MAX_SIZE:
        raise Bad(f"completions is a list of 2 to {MAX_SIZE}")
    answers = []
    for entry in listed:
        if isinstance(entry, str):
            entry = {"text": entry}
        if not isinstance(entry, dict):
            raise Bad("each of completions is a text or an object with text and model")
        answers.append(Answer(model_of(entry), text_of(entry, "text", "completion", empty=True)))
    if len(set(answers)) != len(answers):
        raise Bad("completions holds the same completion twice")
    return tuple(answers)


_READERS: dict[Format, Callable[[int, Mapping[str, Any]], Record]] = {
    "documents": _document,
    "prompts": _prompt_record,
    "demonstrations": _demonstration,
    "completions": _completion,
    "pairs": _pair,
    "trl": _pair,
    "hh-rlhf": _transcripts,
    "judgments": _judgment,
}
