"""From rows to files: JSON lines, CSV or Parquet as a stream of bytes; and preferences in the layouts of others.

Rows are plain dicts that all have the same keys. Layouts:
    podium    as the rows are: prompt as messages, chosen and rejected as texts, and where they come from
    trl       preferences, conversational with explicit prompt: prompt, chosen and rejected as lists of messages
    hh-rlhf   preferences: chosen and rejected as whole transcripts of "Human:" and "Assistant:"
    arena     judgments as battles of two: conversation_a, conversation_b, winner
Those of others end with `split`, so that what is held out stays so, and `judgment`, by which Podium knows them again.
They hold nothing that is null: a reader that takes types from the first rows would stumble over the later ones.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Literal, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from backend.domain.formats.rows import FORMULA

FileFormat = Literal["jsonl", "csv", "parquet"]
Layout = Literal["podium", "trl", "hh-rlhf", "arena"]
# Rows are written together until they are so many or hold so many characters: as Python has them they take ten times
# the room of what is written.
BATCH = 500
BATCH_TEXT = 2_000_000
# A row group in Parquet: readers want few of them.
GROUP_ROWS = 5_000
GROUP_BYTES = 8_000_000
R = TypeVar("R", bound=Mapping[str, Any])

MEDIA_TYPES: dict[FileFormat, str] = {
    "jsonl": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}


def lay_out(rows: Iterable[Mapping[str, Any]], layout: Layout) -> Iterator[Mapping[str, Any]]:
    """Rows in the layout asked for: of preferences, or for `arena` of battles."""
    return (_LAYOUTS[layout](row) for row in rows)


def _trl(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "prompt": row["prompt"],
        "chosen": [{"role": "assistant", "content": row["chosen"]}],
        "rejected": [{"role": "assistant", "content": row["rejected"]}],
        "strength": row["strength"] or 0,
        "split": row["split"],
        "judgment": row["judgment"],
    }


def _hh_rlhf(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """A system message has no place in this layout, so it stands at the head of the first turn of the human."""
    head, transcript = "", ""
    for message in row["prompt"]:
        if message["role"] == "system":
            head += f"{message['content']}\n\n"
            continue
        speaker = "Assistant" if message["role"] == "assistant" else "Human"
        transcript += f"\n\n{speaker}: {head}{message['content']}"
        head = ""
    if head:
        transcript += f"\n\nHuman: {head.rstrip()}"
    sides = {side: f"{transcript}\n\nAssistant: {row[side]}" for side in ("chosen", "rejected")}
    return {**sides, "split": row["split"], "judgment": row["judgment"]}


_WINNER = {1.0: "model_a", 0.5: "tie", 0.0: "model_b", None: "tie (bothbad)"}


def _arena(row: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "question_id": row["prompt_id"],
        "model_a": row["model_a"],
        "model_b": row["model_b"],
        "winner": _WINNER[row["score"]],
        "judge": row["annotator"],
        "conversation_a": [*row["prompt"], {"role": "assistant", "content": row["answer_a"]}],
        "conversation_b": [*row["prompt"], {"role": "assistant", "content": row["answer_b"]}],
        "turn": sum(message["role"] == "user" for message in row["prompt"]),
        "tstamp": row["tstamp"],
        "split": row["split"],
        "judgment": row["judgment"],
    }


_LAYOUTS: dict[Layout, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = {
    "podium": lambda row: row,
    "trl": _trl,
    "hh-rlhf": _hh_rlhf,
    "arena": _arena,
}


def write(rows: Iterable[Mapping[str, Any]], format: FileFormat) -> Iterator[bytes]:
    """The bytes of a file of these rows, piece by piece; no rows give a file without rows."""
    return {"jsonl": _jsonl, "csv": _csv, "parquet": _parquet}[format](rows)


def _batches(rows: Iterable[R]) -> Iterator[list[R]]:
    batch: list[R] = []
    text = 0
    for row in rows:
        batch.append(row)
        text += _length(row)
        if len(batch) == BATCH or text > BATCH_TEXT:
            yield batch
            batch, text = [], 0
    if batch:
        yield batch


def _length(value: Any) -> int:
    """About how many characters it holds."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(map(_length, value.values()))
    return sum(map(_length, value)) if isinstance(value, list | tuple) else 8


def _jsonl(rows: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    for batch in _batches(rows):
        yield "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in batch).encode()


def _csv(rows: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """Lists and objects stand in their cells as JSON, which the importer reads back.

    A text that a spreadsheet would run as a formula gets an apostrophe in front, as the spreadsheet itself would write
    it; the importer takes it away (`rows`).
    """
    header: list[str] | None = None
    for batch in _batches(rows):
        text = io.StringIO()
        writer = csv.writer(text)
        if header is None:
            header = list(batch[0])
            writer.writerow(header)
        writer.writerows([_cell(row[column]) for column in header] for row in batch)
        yield text.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, list | dict | bool):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, str):
        return f"'{value}" if FORMULA.match(value) else value
    return "" if value is None else value


def _parquet(rows: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """A column's type follows from its name, never from what its first rows happen to hold. What no type is known for
    is text, and what is no text (an object, a list, a number) stands there as JSON."""
    sink = _Sink()
    batches = _batches(rows)
    first = next(batches, [])
    schema = pa.schema([(name, _type_of(name, value)) for name, value in (first[0] if first else {}).items()])
    group: list[pa.RecordBatch] = []
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for batch in chain([first] if first else [], batches):
            group.append(_columns(batch, schema))
            if sum(part.num_rows for part in group) >= GROUP_ROWS or sum(part.nbytes for part in group) >= GROUP_BYTES:
                writer.write_table(pa.Table.from_batches(group))
                group = []
                yield sink.take()
        if group:
            writer.write_table(pa.Table.from_batches(group))
    yield sink.take()


def _columns(rows: list[Mapping[str, Any]], schema: pa.Schema) -> pa.RecordBatch:
    """Raises TypeError for a value that its column's type has no room for: pyarrow would cut a fraction off."""
    arrays = []
    for field in schema:
        values = [row[field.name] for row in rows]
        if field.type == pa.string():
            values = [
                value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
                for value in values
            ]
        elif field.type in _PLAIN and not {type(value) for value in values} <= _PLAIN[field.type]:
            raise TypeError(f"{field.name} holds something else than {field.type}")
        arrays.append(pa.array(values, field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _type_of(name: str, value: Any) -> pa.DataType:
    """Answers in preferences are texts in some layouts and lists of messages in others, in all rows alike."""
    if name in ("chosen", "rejected") and isinstance(value, list):
        return _MESSAGES
    return _KNOWN.get(name, pa.string())


_MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
_SPAN = pa.struct(
    [
        ("completion", pa.int64()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("quote", pa.string()),
        ("remark", pa.string()),
    ]
)
_SHOWN = pa.struct([("id", pa.string()), ("model", pa.string()), ("text", pa.string())])
_KNOWN = {
    "prompt": _MESSAGES,
    "conversation_a": _MESSAGES,
    "conversation_b": _MESSAGES,
    "completions": pa.list_(_SHOWN),
    "ranks": pa.list_(pa.int64()),
    "spans": pa.list_(_SPAN),
    **dict.fromkeys(("strength", "active_ms", "guidelines_version", "judgments", "turn"), pa.int64()),
    **dict.fromkeys(("rating", "standard_error", "reward", "weight", "tstamp"), pa.float64()),
    **dict.fromkeys(("none_acceptable", "gold_right"), pa.bool_()),
}
_PLAIN: dict[Any, set[type]] = {
    pa.int64(): {int, type(None)},
    pa.float64(): {int, float, type(None)},
    pa.bool_(): {bool, type(None)},
}


class _Sink(io.RawIOBase):
    """A file that is emptied while it is written."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._place = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._place += len(part)
        return len(part)

    def tell(self) -> int:
        return self._place

    def take(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)
