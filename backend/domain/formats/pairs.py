"""Preference pairs: a chosen and a rejected answer, with a prompt or after a common beginning, or as transcripts."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from backend.domain.formats.fields import (
    Bad,
    annotator_of,
    from_cell,
    id_of,
    messages_of,
    model_of,
    number_of,
    prompt_of,
    text_of,
)
from backend.domain.formats.records import Answer, JudgmentRecord, Message, Messages, Record


def pair(line: int, row: Mapping[str, Any]) -> Record:
    """`{"prompt"?, "chosen", "rejected"}`, texts or messages."""
    if not {"chosen", "rejected"} <= row.keys():
        raise Bad(f"{'chosen' if 'chosen' not in row else 'rejected'} is missing or empty")
    chosen, rejected = from_cell(row["chosen"]), from_cell(row["rejected"])
    # Where there is a prompt, messages are the whole dialogue, as in UltraFeedback.
    if given := row.keys() & {"prompt", "question", "instruction"} or row.keys() & {"messages"}:
        messages = prompt_of({name: row[name] for name in given})
        answers = [_last_answer(chosen, "chosen", messages), _last_answer(rejected, "rejected", messages)]
    elif isinstance(chosen, list):
        first, second = messages_of(chosen, "chosen"), messages_of(rejected, "rejected")
        messages = common(first, second)
        answers = [_last_answer(first, "chosen", messages), _last_answer(second, "rejected", messages)]
    elif isinstance(chosen, str) and "\n\nAssistant:" in chosen:
        return transcripts(line, row)
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


def common(first: Sequence[Message], second: Sequence[Message], names: str = "chosen and rejected") -> Messages:
    """The messages with which both begin."""
    size = 0
    while size < min(len(first), len(second)) - 1 and first[size] == second[size]:
        size += 1
    if size == 0:
        raise Bad(f"{names} have no common beginning, so there is no prompt")
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


def transcripts(line: int, row: Mapping[str, Any]) -> Record:
    """`{"chosen", "rejected"}`, each a whole dialogue of "Human:" and "Assistant:"."""
    first, second = _turns(text_of(row, "chosen"), "chosen"), _turns(text_of(row, "rejected"), "rejected")
    if len(first) != len(second) or first[:-1] != second[:-1]:
        # Dialogues that part earlier are compared from there on: the rest is one long answer.
        size = len(common(first, second))
        size -= 1 - size % 2
        if size < 1:
            raise Bad("chosen and rejected have no common beginning, so there is no prompt")
        answers = [tail(first, size), tail(second, size)]
    else:
        size = len(first) - 1
        answers = [first[-1]["content"], second[-1]["content"]]
    if not answers[0] and not answers[1]:
        raise Bad("both answers are empty")
    return _judged_pair(line, row, first[:size], answers)


def tail(messages: Messages, size: int) -> str:
    """What follows so many messages, as one answer."""
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
        # 0: nobody was asked.
        strength=number_of(row, "strength", "[0-4]", "a number from 1 to 4") or None,
        origin=id_of(row, "judgment"),
    )
