"""From bytes to rows: JSON lines, a JSON array, CSV or Parquet, plain or gzipped. Knows no meaning of any column.

One bad line becomes a `Rejected` and the rest is read; only a file that cannot be read at all raises `Invalid`.
"""

import codecs
import csv
import gzip
import io
import itertools
import json
import re
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
# What has to be unpacked or parsed in one piece may not be larger than this.
MAX_WHOLE = 256 * 1024 * 1024
BOM = b"\xef\xbb\xbf"
csv.field_size_limit(MAX_LINE)
# What a spreadsheet takes for a formula, or what was made safe from that by apostrophes before it.
FORMULA = re.compile("'*[=+\\-@\t\r]")

# What reading a damaged file may raise, plain or gzipped.
_BROKEN = (OSError, EOFError, zlib.error)


def read(file: IO[bytes], filename: str = "") -> Iterator[Row | Rejected]:
    """Rows with their line number (from 1; in CSV the header is line 1)."""
    file, zipped = _unzipped(file)
    name = filename.lower().removesuffix(".gz")
    head = _peek(file, 4096)
    if head[:4] == b"PAR1":
        # Parquet is read from its end, which gzip can only reach by unpacking all of it.
        return _parquet(io.BytesIO(_whole(file)) if zipped else file)
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise Invalid("The file is UTF-16. Save it as UTF-8.")
    if name.endswith((".csv", ".tsv")) or not (name.endswith((".jsonl", ".json")) or _looks_like_json(head)):
        return _csv(file, _delimiter(head))
    return _json_array(file) if head.removeprefix(BOM).lstrip()[:1] == b"[" else _json(file)


def _delimiter(head: bytes) -> str:
    """What stands between the columns: spreadsheets of many countries write semicolons."""
    header = re.sub(rb'"[^"]*("|$)', b"", head.split(b"\n", 1)[0])
    return max(",;\t", key=lambda sign: header.count(sign.encode()))


def _looks_like_json(head: bytes) -> bool:
    return head.removeprefix(BOM).lstrip()[:1] in (b"{", b"[", b"")


def _peek(file: IO[bytes], size: int) -> bytes:
    place = file.tell()
    try:
        head = file.read(size)
    except _BROKEN as error:
        raise Invalid(f"The file is not complete or not gzip: {error}.") from error
    file.seek(place)
    return head


def _whole(file: IO[bytes]) -> bytes:
    try:
        content = file.read(MAX_WHOLE + 1)
    except _BROKEN as error:
        raise Invalid(f"The file breaks off: {error}.") from error
    if len(content) > MAX_WHOLE:
        raise Invalid(
            f"More than {MAX_WHOLE // 2**20} MiB cannot be read in one piece: "
            "write one JSON object a line, or Parquet without gzip."
        )
    return content


def _unzipped(file: IO[bytes]) -> tuple[IO[bytes], bool]:
    place = file.tell()
    magic = file.read(2)
    file.seek(place)
    if magic != b"\x1f\x8b":
        return file, False
    # The mode has to be said: otherwise that of a temporary file, "w+b", would be taken.
    return cast(IO[bytes], gzip.GzipFile(fileobj=file, mode="rb")), True


def _lines(file: IO[bytes]) -> Iterator[tuple[int, str | Rejected]]:
    for number in itertools.count(1):
        try:
            raw = file.readline(MAX_LINE + 1)
            too_long = len(raw) > MAX_LINE
            while too_long and raw and not raw.endswith(b"\n"):
                raw = file.readline(MAX_LINE)
        except _BROKEN as error:
            yield number, Rejected(number, f"the file breaks off here: {error}")
            return
        if too_long:
            yield number, Rejected(number, f"the line is longer than {MAX_LINE // 2**20} MiB")
            continue
        if not raw:
            return
        try:
            text = (raw.removeprefix(BOM) if number == 1 else raw).decode("utf-8")
        except UnicodeDecodeError as error:
            yield number, Rejected(number, f"not UTF-8 at byte {error.start + 1}")
            continue
        yield number, text


def _json(file: IO[bytes]) -> Iterator[Row | Rejected]:
    for number, line in _lines(file):
        if isinstance(line, Rejected):
            yield line
        elif line.strip():
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


def _json_array(file: IO[bytes]) -> Iterator[Row | Rejected]:
    """Entry by entry, so that the size of the array costs no memory; where it breaks, nothing behind can be read."""
    text = _Text(file)
    number = 1
    try:
        text.skip("[")
        ended = text.begins("]")
        while not ended:
            entry = text.entry()
            yield (number, entry) if isinstance(entry, dict) else Rejected(number, "an entry is one JSON object")
            number += 1
            ended = text.begins("]")
            if not ended:
                text.skip(",")
    except (ValueError, RecursionError) as error:
        yield Rejected(number, f"not JSON from this entry on: {error}")


class _Text:
    """A file as text that is taken from its beginning, a piece in memory. Bytes that are not UTF-8 become halves of
    surrogate pairs, which no field may hold: so they cost their entry and not the file."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape")
        self._json = json.JSONDecoder(parse_constant=_no_constant)
        self._text = ""
        self._at = 0
        self._ended = False

    def _more(self, size: int = 65536) -> None:
        try:
            read = self._file.read(size)
        except _BROKEN as error:
            raise ValueError(f"the file breaks off here: {error}") from error
        self._ended = not read
        self._text = self._text[self._at :] + self._decoder.decode(read, self._ended)
        self._at = 0

    def begins(self, sign: str) -> bool:
        """Whether this sign comes next, after spaces."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in " \t\r\n":
                self._at += 1
            if self._at < len(self._text) or self._ended:
                return self._text.startswith(sign, self._at)
            self._more()

    def skip(self, sign: str) -> None:
        """Take a sign that has to come next."""
        if not self.begins(sign):
            raise ValueError(f"{sign} is missing" if not self._ended else "the file breaks off here")
        self._at += 1

    def entry(self) -> Any:
        """Take a value; it is tried again with twice as much text while it is not whole."""
        self.begins("")
        while True:
            try:
                value, end = self._json.raw_decode(self._text, self._at)
                if end < len(self._text) or self._ended:
                    self._at = end
                    return value
            except ValueError:
                if self._ended:
                    raise
            waiting = len(self._text) - self._at
            if waiting > MAX_LINE:
                raise ValueError(f"an entry is longer than {MAX_LINE // 2**20} MiB, or is no JSON")
            self._more(max(65536, waiting))


class _CsvLines:
    """Lines for the CSV reader, which knows only text: keeps what had to be left out, and where rows begin."""

    def __init__(self, file: IO[bytes]) -> None:
        self.lines = _lines(file)
        self.first = 0
        self.left_out: list[Rejected] = []
        self.spoilt = False

    def begin_row(self) -> None:
        self.first, self.spoilt = 0, False

    def __iter__(self) -> Iterator[str]:
        for number, line in self.lines:
            if isinstance(line, Rejected):
                self.left_out.append(line)
                # In the middle of a quoted field the row lacks this line now.
                self.spoilt |= self.first > 0
                continue
            self.first = self.first or number
            yield line


def _csv(file: IO[bytes], delimiter: str) -> Iterator[Row | Rejected]:
    lines = _CsvLines(file)
    reader = csv.reader(iter(lines), delimiter=delimiter, strict=True)
    header = _header(reader, lines)
    while header:
        lines.begin_row()
        wrong = None
        try:
            values = next(reader, None)
        except csv.Error as error:
            values, wrong = [], f"not CSV: {error}"
        yield from lines.left_out
        lines.left_out.clear()
        if lines.spoilt:
            continue
        if wrong:
            yield Rejected(lines.first, wrong)
        elif values is None:
            return
        elif values and len(values) != len(header):
            yield Rejected(lines.first, f"{len(values)} columns, but the header names {len(header)}")
        elif values:
            yield lines.first, {name: _unquoted(value) for name, value in zip(header, values, strict=True)}


def _unquoted(cell: str) -> str:
    """Without the apostrophe that keeps a spreadsheet from running it."""
    return cell[1:] if cell[:1] == "'" and FORMULA.match(cell) else cell


def _header(reader: Iterator[list[str]], lines: _CsvLines) -> list[str]:
    try:
        header = next(reader, [])
    except csv.Error as error:
        raise Invalid(f"The header of the CSV file cannot be read: {error}.") from error
    if lines.left_out:
        raise Invalid(f"The header of the CSV file cannot be read: {lines.left_out[0].reason}.")
    if len(set(header)) != len(header):
        raise Invalid("Two columns of the CSV file have the same name.")
    return header


def _parquet(file: IO[bytes]) -> Iterator[Row | Rejected]:
    number = 0
    try:
        # A row group is read a piece of each column at a time: those of others may be larger than the memory.
        table = pq.ParquetFile(file, buffer_size=2**20, pre_buffer=False)
        for batch in table.iter_batches(batch_size=500, use_threads=False):
            for row in _parquet_rows(batch):
                number += 1
                yield (number, row) if isinstance(row, dict) else Rejected(number, row)
    # A damaged file shows as any of these, depending on where the damage lies.
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        if number == 0:
            raise Invalid(f"The Parquet file cannot be read: {error}.") from error
        yield Rejected(number + 1, f"the Parquet file cannot be read from this row on: {error}")


def _parquet_rows(batch: pa.RecordBatch) -> Iterator[dict[str, Any] | str]:
    """The rows of a batch, or why a row cannot be had: a date beyond the calendar, text that is not UTF-8."""
    try:
        yield from batch.to_pylist()
        return
    except (ValueError, OverflowError):
        pass
    for place in range(batch.num_rows):
        try:
            yield batch.slice(place, 1).to_pylist()[0]
        except (ValueError, OverflowError) as error:
            yield f"a value cannot be read: {error}"
