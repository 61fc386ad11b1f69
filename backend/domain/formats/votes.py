"""Judgments: completions as they were shown, and what was said of them."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from backend.domain.formats.fields import (
    Bad,
    annotator_of,
    check_storable,
    from_json,
    id_of,
    model_of,
    number_of,
    prompt_of,
    ranks_of,
    text_of,
    winner_of,
)
from backend.domain.formats.records import Answer, JudgmentRecord, Record
from backend.domain.judgments import MAX_SIZE
from backend.domain.spans import MAX_SPANS, Span


def judgment(line: int, row: Mapping[str, Any]) -> Record:
    """`{"prompt", "completions", "ranks" or "winner", ...}`, or in CSV completion_a and completion_b."""
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
        origin=id_of(row, "id"),
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
        if size != 2:
            raise Bad("winner tells of two completions; of more, ranks tell")
        return winner_of(row)
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
