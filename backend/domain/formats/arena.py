"""Battles of a chat arena: two models answer the same person, who says which did better.

    conversation_a, conversation_b      lists of messages, whole dialogues of several turns too (lmsys, lmarena)
    prompt, response_a, response_b      texts, or JSON lists with one text a turn (the 55k battles on Kaggle)

with model_a, model_b, the winner (`winner`, or one of winner_model_a, winner_model_b, winner_tie is 1), and who judged
(judge). Sides stay as shown. What was said before the two parted is the prompt. Votes that name models without their
texts cannot be judged again and train nothing; they are refused.
"""

import json
from collections.abc import Mapping
from typing import Any

from backend.domain.formats.fields import Bad, annotator_of, id_of, messages_of, model_of, text_of, winner_of
from backend.domain.formats.pairs import common, tail
from backend.domain.formats.records import Answer, JudgmentRecord, Messages, Record

_FLAGS = {"winner_model_a": (1, 2), "winner_model_b": (2, 1), "winner_tie": (1, 1)}
_TEXTS = {f"{name}_a" for name in ("conversation", "response", "completion", "answer")}


def is_battle(row: Mapping[str, Any]) -> bool:
    """Whether the row is a battle in the layout of an arena, with or without its texts."""
    keys = set(row)
    if {"conversation_a", "conversation_b"} <= keys or {"winner_model_a", "winner_model_b"} <= keys:
        return True
    return {"model_a", "model_b", "winner"} <= keys and not keys & (_TEXTS | {"completions"})


def battle(line: int, row: Mapping[str, Any]) -> Record:
    """A row as the judgment it is."""
    first, second = (_conversation(row, side) for side in "ab")
    if len(first) == len(second) and first[:-1] == second[:-1]:
        size = len(first) - 1
        said = [first[-1]["content"], second[-1]["content"]]
    else:
        size = len(common(first, second, "conversation_a and conversation_b"))
        # The prompt ends before an answer.
        while size and first[size - 1]["role"] == "assistant":
            size -= 1
        said = [tail(first, size), tail(second, size)]
    if size == 0:
        raise Bad("the conversations begin with an answer, so there is no prompt")
    answers = tuple(Answer(model_of(row, f"model_{side}"), text) for side, text in zip("ab", said, strict=True))
    if answers[0] == answers[1]:
        raise Bad("both sides are the same model with the same answer")
    return JudgmentRecord(
        line,
        first[:size],
        answers,
        _verdict(row),
        annotator=annotator_of(row),
        origin=id_of(row, "judgment"),
    )


def _conversation(row: Mapping[str, Any], side: str) -> Messages:
    field = f"conversation_{side}"
    if field in row:
        messages = messages_of(_list(row[field]), field)
        if messages[-1]["role"] != "assistant" or len(messages) < 2:
            raise Bad(f"{field} does not end with an answer")
        return messages
    answer = next((name for name in (f"response_{side}", f"answer_{side}", f"completion_{side}") if name in row), None)
    if answer is None:
        raise Bad(f"{field} (or prompt and response_{side}) is missing: a vote needs the texts that were compared")
    return _turns(_list(row.get("prompt", row.get("question"))), _list(row[answer]), answer)


def _turns(asked: Any, said: Any, field: str) -> Messages:
    """What was asked and said in turn; both are a text, or a list of one a turn."""
    asked, said = ([value] if isinstance(value, str) else value for value in (asked, said))
    if not isinstance(asked, list) or not asked:
        raise Bad("prompt is missing or empty")
    if not isinstance(said, list) or len(said) != len(asked):
        raise Bad(f"{field} has not one text for each of the {len(asked)} turns of prompt")
    messages: Messages = []
    for turn, (question, answer) in enumerate(zip(asked, said, strict=True), start=1):
        if not isinstance(question, str) or not isinstance(answer, str):
            raise Bad(f"turn {turn} of {'prompt' if not isinstance(question, str) else field} has no text")
        messages.append({"role": "user", "content": text_of({"prompt": question}, "prompt")})
        messages.append({"role": "assistant", "content": text_of({field: answer}, field, empty=True)})
    return messages


def _list(value: Any) -> Any:
    """A list out of its JSON, as it stands in CSV; anything else as it is."""
    if isinstance(value, str) and value.lstrip()[:1] == "[":
        try:
            found = json.loads(value)
        except (ValueError, RecursionError):
            return value
        if isinstance(found, list) and found:
            return found
    return value


def _verdict(row: Mapping[str, Any]) -> tuple[int, ...] | None:
    if "winner" in row:
        return winner_of(row)
    said = [ranks for name, ranks in _FLAGS.items() if str(row.get(name)).lower() in ("1", "1.0", "true")]
    if len(said) != 1:
        raise Bad("one of winner_model_a, winner_model_b and winner_tie is 1, the others 0")
    return said[0]
