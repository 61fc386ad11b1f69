"""The LLMFAO study: models, prompts, their answers, and crowd votes on pairs of them, as an archive of its four files.

models.jsonl {id, name}, prompts.jsonl {id, text}, results.jsonl {prompt, model, result} and crowd-comparisons.csv
{prompt, left, right, worker, winner}, whose `left` and `right` name the models as they were shown.
"""

import io
import zipfile
from collections.abc import Iterator
from typing import IO, Any

from backend.domain.formats import rows
from backend.domain.formats.records import (
    Answer,
    CompletionRecord,
    JudgmentRecord,
    PromptRecord,
    Record,
    Rejected,
    imported_model,
)
from backend.errors import Invalid

FILES = ("models.jsonl", "prompts.jsonl", "results.jsonl", "crowd-comparisons.csv")
MAX_FILE = 1 << 30
_RANKS = {"left": (1, 2), "right": (2, 1), "tie": (1, 1)}


def read(file: IO[bytes]) -> Iterator[Record | Rejected]:
    """All prompts, all completions (saying nothing is an answer too), and all votes in the order of their file."""
    try:
        archive = zipfile.ZipFile(file)
    except zipfile.BadZipFile as error:
        raise Invalid(f"An LLMFAO study is a zip archive of {', '.join(FILES)}: {error}.") from error
    with archive:
        yield from _read(archive)


def _read(archive: zipfile.ZipFile) -> Iterator[Record | Rejected]:
    models: dict[str, str] = {}
    for _, row in _rows(archive, "models.jsonl"):
        models[str(row["id"])] = imported_model(str(row["name"]))
    prompts: dict[str, list[dict[str, str]]] = {}
    for line, row in _rows(archive, "prompts.jsonl"):
        prompts[str(row["id"])] = [{"role": "user", "content": str(row["text"])}]
        yield PromptRecord(line, prompts[str(row["id"])])
    answers: dict[tuple[str, str], Answer] = {}
    for line, row in _rows(archive, "results.jsonl"):
        prompt, model = str(row.get("prompt")), models.get(str(row.get("model")))
        text = row.get("result")
        if prompt not in prompts or model is None:
            yield Rejected(line, "results.jsonl: names a prompt or a model that the study does not have")
        elif not isinstance(text, str):
            yield Rejected(line, "results.jsonl: result is missing")
        else:
            answers[prompt, model] = Answer(model, text.replace("\0", "\ufffd"))
            yield CompletionRecord(line, prompts[prompt], answers[prompt, model])
    for line, row in _rows(archive, "crowd-comparisons.csv"):
        prompt, ranks = str(row["prompt"]), _RANKS.get(str(row["winner"]))
        shown = [answers.get((prompt, imported_model(str(row[side])))) for side in ("left", "right")]
        if ranks is None:
            yield Rejected(line, "crowd-comparisons.csv: winner is left, right or tie")
        elif shown[0] is None or shown[1] is None:
            yield Rejected(line, "crowd-comparisons.csv: one of the two completions is not in results.jsonl")
        else:
            yield JudgmentRecord(
                line, prompts[prompt], (shown[0], shown[1]), ranks, annotator=str(row.get("worker", "unknown"))
            )


def _rows(archive: zipfile.ZipFile, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of one file of the archive, wherever in it that file lies."""
    paths = [info for info in archive.infolist() if info.filename.rsplit("/", 1)[-1] == name]
    if not paths:
        raise Invalid(f"The archive has no {name}; an LLMFAO study has {', '.join(FILES)}.")
    if paths[0].file_size > MAX_FILE:
        raise Invalid(f"{name} is larger than 1 GiB when unpacked.")
    for row in rows.read(io.BytesIO(archive.read(paths[0])), name):
        if isinstance(row, Rejected):
            raise Invalid(f"{name}, line {row.line}: {row.reason}.")
        yield row
