"""The LLMFAO study: models, prompts, their answers, and crowd votes on pairs of them, as an archive of its four files.

models.jsonl {id, name}, prompts.jsonl {id, text}, results.jsonl {prompt, model, result} and crowd-comparisons.csv
{prompt, left, right, worker, winner}, whose `left` and `right` name the models as they were shown. The archive is a
zip or a tar (`pack` makes one of a folder); a line that cannot be read is told with the name of its file.
"""

import io
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from backend.domain.formats import rows
from backend.domain.formats.records import (
    UNKNOWN_ANNOTATOR,
    Answer,
    CompletionRecord,
    JudgmentRecord,
    Messages,
    PromptRecord,
    Record,
    Rejected,
    imported_model,
    unstorable,
)
from backend.errors import Invalid

FILES = ("models.jsonl", "prompts.jsonl", "results.jsonl", "crowd-comparisons.csv")
MAX_FILE = rows.MAX_WHOLE
_RANKS = {"left": (1, 2), "right": (2, 1), "tie": (1, 1)}
# Whatever a damaged or encrypted archive may raise.
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, OSError, EOFError, zlib.error, RuntimeError, NotImplementedError)


def is_archive(file: IO[bytes]) -> bool:
    """Whether the file is a zip or a tar; leaves it where it was."""
    place = file.tell()
    try:
        if zipfile.is_zipfile(file):
            return True
        file.seek(place)
        return tarfile.is_tarfile(file)
    except _BROKEN:
        return False
    finally:
        file.seek(place)


def is_study(folder: Path) -> bool:
    """Whether a folder holds the study."""
    return any((folder / name).is_file() for name in FILES)


def pack(folder: Path) -> io.BytesIO:
    """The study in a folder as an archive that `read` takes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in FILES:
            if not (folder / name).is_file():
                raise Invalid(f"The folder has no {name}; an LLMFAO study has {', '.join(FILES)}.")
            archive.write(folder / name, name)
    packed.seek(0)
    return packed


def read(file: IO[bytes]) -> Iterator[Record | Rejected]:
    """All prompts, all completions (saying nothing is an answer too), and all votes in the order of their file."""
    files = _unpacked(file)
    study = _Study()
    for name, take in (
        ("models.jsonl", study.model),
        ("prompts.jsonl", study.prompt),
        ("results.jsonl", study.completion),
        ("crowd-comparisons.csv", study.vote),
    ):
        yield from _taken(files[name], name, take)


def _taken(
    content: bytes, name: str, take: Callable[[int, Mapping[str, Any]], Record | None]
) -> Iterator[Record | Rejected]:
    for row in rows.read(io.BytesIO(content), name):
        if isinstance(row, Rejected):
            yield Rejected(row.line, f"{name}: {row.reason}")
            continue
        try:
            record = take(*row)
        except KeyError as missing:
            yield Rejected(row[0], f"{name}: {missing.args[0]} is missing")
        except ValueError as error:
            yield Rejected(row[0], f"{name}: {error}")
        else:
            if record is not None:
                yield record


class _Study:
    """What was read so far, by the ids of the study; each method takes one row of its file."""

    def __init__(self) -> None:
        self.models: dict[str, str] = {}
        self.prompts: dict[str, Messages] = {}
        self.answers: dict[tuple[str, str], Answer] = {}

    def model(self, line: int, row: Mapping[str, Any]) -> None:
        self.models[str(row["id"])] = imported_model(_text(row, "name"))

    def prompt(self, line: int, row: Mapping[str, Any]) -> Record:
        messages = self.prompts[str(row["id"])] = [{"role": "user", "content": _text(row, "text")}]
        return PromptRecord(line, messages)

    def completion(self, line: int, row: Mapping[str, Any]) -> Record:
        prompt, model = str(row["prompt"]), self.models.get(str(row["model"]))
        if prompt not in self.prompts or model is None:
            raise ValueError("names a prompt or a model that the study does not have")
        answer = self.answers[prompt, model] = Answer(model, _text(row, "result"))
        return CompletionRecord(line, self.prompts[prompt], answer)

    def vote(self, line: int, row: Mapping[str, Any]) -> Record:
        prompt, ranks = str(row["prompt"]), _RANKS.get(str(row["winner"]))
        if ranks is None:
            raise ValueError("winner is left, right or tie")
        left, right = (self.answers.get((prompt, imported_model(str(row[side])))) for side in ("left", "right"))
        if left is None or right is None:
            raise ValueError("one of the two completions is not in results.jsonl")
        if left == right:
            raise ValueError("left and right are the same completion")
        annotator = str(row.get("worker") or UNKNOWN_ANNOTATOR)
        if found := unstorable(annotator):
            raise ValueError(f"worker holds {found}")
        return JudgmentRecord(line, self.prompts[prompt], (left, right), ranks, annotator=annotator)


def _text(row: Mapping[str, Any], field: str) -> str:
    value = row[field]
    if not isinstance(value, str):
        raise ValueError(f"{field} is text")
    if found := unstorable(value):
        raise ValueError(f"{field} holds {found}")
    return value


def _unpacked(file: IO[bytes]) -> dict[str, bytes]:
    """The four files of an archive, wherever in it they lie."""
    place = file.tell()
    try:
        zipped = zipfile.is_zipfile(file)
        file.seek(place)
        found = _unzip(file) if zipped else _untar(file)
    except _BROKEN as error:
        raise Invalid(f"An LLMFAO study is a zip or tar archive of {', '.join(FILES)}: {error}.") from error
    missing = [name for name in FILES if name not in found]
    if missing:
        raise Invalid(f"The archive has no {missing[0]}; an LLMFAO study has {', '.join(FILES)}.")
    return found


def _unzip(file: IO[bytes]) -> dict[str, bytes]:
    found = {}
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            if (name := _wanted(info.filename, info.file_size)) and name not in found:
                found[name] = archive.read(info)
    return found


def _untar(file: IO[bytes]) -> dict[str, bytes]:
    found = {}
    with tarfile.open(fileobj=file) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            if content and (name := _wanted(member.name, member.size)) and name not in found:
                found[name] = content.read()
    return found


def _wanted(path: str, size: int) -> str | None:
    """Which of the four files this is, if any; a copy that a Mac leaves beside each (`._name`) is none."""
    name = path.rsplit("/", 1)[-1]
    if name not in FILES:
        return None
    if size > MAX_FILE:
        raise Invalid(f"{name} is larger than {MAX_FILE // 2**20} MiB when unpacked.")
    return name
