"""Single answers with a label, good or not: `{"prompt", "completion", "label"}`, as TRL's KTO reads them.

A label alone compares nothing. Answers to the same prompt in lines that follow each other make one judgment: the good
ones before the others. Where all of them have the same label, there is nothing to prefer, and the lines are refused.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from backend.domain.formats.fields import Bad, annotator_of, completion_text, model_of, prompt_of
from backend.domain.formats.records import Answer, JudgmentRecord, Messages, Record, Rejected
from backend.domain.formats.rows import Row
from backend.domain.judgments import MAX_SIZE

_LABELS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}

Labelled = tuple[int, Messages, Answer, bool, str]


def read(rows: Iterable[Row | Rejected]) -> Iterator[Record | Rejected]:
    """Judgments, and the lines that make none."""
    together: list[Labelled] = []
    for row in rows:
        if isinstance(row, Rejected):
            yield row
            continue
        try:
            one = _labelled(*row)
        except Bad as error:
            yield Rejected(row[0], str(error))
            continue
        if together and (one[1] != together[0][1] or len(together) == MAX_SIZE):
            yield from _judged(together)
            together = []
        together.append(one)
    yield from _judged(together)


def _labelled(line: int, row: Mapping[str, Any]) -> Labelled:
    label = _LABELS.get(str(row.get("label")).lower())
    if label is None:
        raise Bad("label is true or false")
    prompt = prompt_of({name: value for name, value in row.items() if name not in ("messages", "text")})
    return line, prompt, Answer(model_of(row), completion_text(row)), label, annotator_of(row)


def _judged(together: list[Labelled]) -> Iterator[Record | Rejected]:
    seen: dict[Answer, bool] = {}
    for line, _, answer, label, _ in together:
        if answer in seen:
            yield Rejected(line, "the same answer to this prompt stands in a line before")
        seen.setdefault(answer, label)
    if len(set(seen.values())) == 2:
        line, messages, *_, annotator = together[0]
        ranks = tuple(1 if label else 2 for label in seen.values())
        yield JudgmentRecord(line, messages, tuple(seen), ranks, annotator=annotator)
        return
    for line, _, answer, label, _ in together:
        if seen.pop(answer, None) is not None:
            other = "false" if label else "true"
            yield Rejected(line, f"label has nothing to compare with: no line beside it answers this with {other}")
