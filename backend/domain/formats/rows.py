"""From bytes to rows: JSON lines, a JSON array, CSV or Parquet, plain or gzipped. Knows no meaning of any column.

One bad line becomes a `Rejected` and the rest is read; only a file that cannot be read at all raises `Invalid`.
"""

import csv
import gzip
import io
import itertools
import json
import zlib
from collections.abc import Iterator
from typing import IO, Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from backend.domain.formats.records import Rejected
from backend.errors import Invalid

Row = tuple[int, dict[str, Any]]

# A line longer than this is not a prompt or a completion but a broken file.
MAX_LINE = 4 * 1024 * 1024
csv.field_size_limit(MAX_LINE)


def read(file: IO[bytes], filename: str = "") -> Iterator[Row | Rejected]:
    """Rows with their line number (from 1; in CSV the header is line 1)."""
    file, zipped = _unzipped(file)
    name = filename.lower().removesuffix(".gz")
    head = _peek(file, 4096)
    if head[:4] == b"PAR1":
        # Parquet is read from its end, which gzip can only reach by unpacking all of it.
        return _parquet(io.BytesIO(file.read()) if zipped else file)
    if name.endswith((".csv", ".tsv")) or not (name.endswith((".jsonl", ".json")) or _looks_like_json(head)):
        return _csv(file, "\t" if name.endswith(".tsv") else ",")
    return _json(file)


def _looks_like_json(head: bytes) -> bool:
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[", b"")


def _peek(file: IO[bytes], size: int) -> bytes:
    place = file.tell()
    try:
        head = file.read(size)
    except (OSError, EOFError, zlib.error) as error:
        raise Invalid(f"The file is not complete or not gzip: {error}.") from error
    file.seek(place)
    return head


def _unzipped(file: IO[bytes]) -> tuple[IO[bytes], bool]:
    place = file.tell()
    magic = file.read(2)
    file.seek(place)
    if magic != b"\x1f\x8b":
        return file, False
    return cast(IO[bytes], gzip.GzipFile(fileobj=file)), True


def _lines(file: IO[bytes]) -> Iterator[tuple[int, str | Rejected]]:
    for number in itertools.count(1):
        try:
            raw = file.readline(MAX_LINE + 1)
        except (OSError, EOFError, zlib.error) as error:
            yield number, Rejected(number, f"the file breaks off here: {error}")
            return
        if not raw:
            return
        if len(raw) > MAX_LINE:
            while raw and not raw.endswith(b"\n"):
                raw = file.readline(MAX_LINE)
            yield number, Rejected(number, f"the line is longer than {MAX_LINE // 2**20} MiB")
            continue
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            yield number, Rejected(number, f"not UTF-8 at byte {error.start + 1}")
            continue
        yield number, text


def _json(file: IO[bytes]) -> Iterator[Row | Rejected]:
    for number, line in _lines(file):
        if isinstance(line, Rejected):
            yield line
        elif not line.strip():
            continue
        else:
            if number == 1 and line.lstrip().startswith("["):
                yield from _json_array(line, file)
                return
            yield _json_row(number, line)


def _json_row(number: int, line: str) -> Row | Rejected:
    try:
        row = json.loads(line, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        return Rejected(number, f"not JSON: {error}")
    if not isinstance(row, dict):
        return Rejected(number, f"a line is one JSON object, not {type(row).__name__}")
    return number, row


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _json_array(first: str, file: IO[bytes]) -> Iterator[Row | Rejected]:
    rest = file.read(64 * MAX_LINE + 1)
    if len(rest) > 64 * MAX_LINE:
        raise Invalid("A JSON array this long cannot be read in one go; write one object a line (JSON lines).")
    try:
        rows = json.loads(first + rest.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"The file is not a JSON array: {error}.") from error
    for number, row in enumerate(rows, start=1):
        yield (number, row) if isinstance(row, dict) else Rejected(number, "an entry is one JSON object")


def _csv(file: IO[bytes], delimiter: str) -> Iterator[Row | Rejected]:
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="strict", newline="")
    try:
        reader = csv.reader(text, delimiter=delimiter, strict=True)
        header = next(reader, None)
        if header is None:
            return
        if len(set(header)) != len(header):
            raise Invalid("Two columns of the CSV file have the same name.")
        while True:
            first = reader.line_num + 1
            try:
                values = next(reader, None)
            except csv.Error as error:
                yield Rejected(first, f"not CSV: {error}")
                continue
            if values is None:
                return
            if not values:
                continue
            if len(values) != len(header):
                yield Rejected(first, f"{len(values)} columns, but the header names {len(header)}")
                continue
            yield first, dict(zip(header, values, strict=True))
    except UnicodeDecodeError as error:
        raise Invalid(f"The CSV file is not UTF-8 (byte {error.start + 1} of a block).") from error
    except (OSError, EOFError, zlib.error) as error:
        raise Invalid(f"The file breaks off: {error}.") from error
    finally:
        text.detach()


def _parquet(file: IO[bytes]) -> Iterator[Row | Rejected]:
    try:
        table = pq.ParquetFile(file)
        number = 0
        for batch in table.iter_batches(batch_size=1000):
            for row in batch.to_pylist():
                number += 1
                yield number, row
    except pa.ArrowException as error:
        raise Invalid(f"The Parquet file cannot be read: {error}.") from error
