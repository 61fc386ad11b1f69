"""Imports: files of prompts, completions, judgments and texts into a project, each fact once however often it is sent.

Nothing is handed out for what was judged elsewhere: an imported judgment brings its own comparison. Judgments keep the
order of the file, and with it the Elo that follows from that order.
"""

import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import IO, Any

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from backend.domain.digests import digest
from backend.domain.formats import readers
from backend.domain.formats.records import (
    CompletionRecord,
    DemonstrationRecord,
    DocumentRecord,
    JudgmentRecord,
    PromptRecord,
    Record,
    Rejected,
)
from backend.domain.pairing import set_key
from backend.services import corpus, ideal_answers, ratings
from backend.tables import Comparison, Judgment, Model, Project, Prompt, User

BATCH = 1_000
REJECTED_SHOWN = 200
_IDS = uuid.UUID("5b0f7a0e-6c5b-5c1e-9a55-0d6f6f646975")


@dataclass
class Report:
    """What became of a file: how much was read, what was new, what was there already, and the lines refused."""

    format: str
    read: int = 0
    created: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    rejected_total: int = 0


def load(session: Session, project: Project, file: IO[bytes], *, format: str | None, filename: str = "") -> Report:
    """Read a whole file into a project, its judgments into the ratings too. Raises Invalid when it cannot be read."""
    chosen = readers.guess(file, filename) if format is None else readers.check_format(format)
    report = Report(chosen)
    occurrences: Counter[str] = Counter()
    records = readers.read(chosen, file, filename)
    while batch := list(islice(records, BATCH)):
        good = []
        for record in batch:
            report.read += 1
            if isinstance(record, Rejected):
                _reject(report, record)
            else:
                good.append(record)
        _keep(session, project, good, report, occurrences)
    if report.created.total() >= BATCH:
        # Until PostgreSQL counts on its own, a minute later, it would plan as if the tables were empty, and what takes
        # a tenth of a second would take a minute.
        session.execute(text("ANALYZE (SKIP_LOCKED) prompts, completions, comparisons, judgments"))
    if report.created["judgments"]:
        ratings.fold(session, project.id)
    return report


def _reject(report: Report, rejected: Rejected) -> None:
    report.rejected_total += 1
    if len(report.rejected) < REJECTED_SHOWN:
        report.rejected.append(rejected)


def _keep(session: Session, project: Project, records: list[Record], report: Report, occurrences: Counter[str]) -> None:
    documents = [record.text for record in records if isinstance(record, DocumentRecord)]
    _count(report, "documents", len(documents), corpus.add_documents(session, project.id, documents))
    shown = [(r.messages, r.text) for r in records if isinstance(r, DemonstrationRecord)]
    _count(report, "demonstrations", len(shown), corpus.add_demonstrations(session, project.id, shown))

    asking = [r for r in records if isinstance(r, PromptRecord | CompletionRecord | JudgmentRecord)]
    prompt_ids, created = corpus.ensure_prompts(session, project.id, [record.messages for record in asking])
    only_prompts = sum(isinstance(record, PromptRecord) for record in asking)
    report.created["prompts"] += created
    report.repeated += max(0, only_prompts - created)

    answers = [
        (prompt_id, answer) for prompt_id, record in zip(prompt_ids, asking, strict=True) for answer in _answers(record)
    ]
    models = _models(session, {answer.model for _, answer in answers}, report)
    rows = [
        {"prompt_id": prompt_id, "model_id": models[answer.model], "text": answer.text} for prompt_id, answer in answers
    ]
    completion_ids, created = corpus.ensure_completions(session, project.id, rows)
    report.created["completions"] += created
    only_completions = sum(isinstance(record, CompletionRecord) for record in asking)
    report.repeated += max(0, only_completions - created)

    taken = iter(completion_ids)
    judged = []
    for prompt_id, record in zip(prompt_ids, asking, strict=True):
        ids = list(islice(taken, len(_answers(record))))
        if isinstance(record, JudgmentRecord):
            if len(set(ids)) == len(ids):
                judged.append((prompt_id, record, ids))
            else:
                _reject(report, Rejected(record.line, "two of the completions compared are the same"))
    _keep_judgments(session, project, judged, report, occurrences)


def _answers(record: Record) -> tuple[Any, ...]:
    if isinstance(record, JudgmentRecord):
        return record.answers
    return (record.answer,) if isinstance(record, CompletionRecord) else ()


def _count(report: Report, noun: str, sent: int, created: int) -> None:
    if sent:
        report.created[noun] += created
        report.repeated += sent - created


def _models(session: Session, names: Iterable[str], report: Report) -> dict[str, uuid.UUID]:
    """Ids by name as the file writes it: a registered model's own name, else `imported/...`."""
    names = set(names)
    registered = {name.removeprefix("imported/"): name for name in names}
    found = session.execute(select(Model.name, Model.id).where(Model.name.in_(registered)))
    models = {registered[name]: id for name, id in found}
    imported, created = corpus.ensure_imported_models(session, names - models.keys())
    report.created["models"] += created
    return models | imported


def _keep_judgments(
    session: Session,
    project: Project,
    judged: list[tuple[uuid.UUID, JudgmentRecord, list[uuid.UUID]]],
    report: Report,
    occurrences: Counter[str],
) -> None:
    if not judged:
        return
    annotators = _annotators(session, project, {record.annotator for _, record, _ in judged}, report)
    comparisons: list[dict[str, Any]] = []
    judgments: list[dict[str, Any]] = []
    for prompt_id, record, ids in judged:
        # The same vote may stand in a file twice, and then it is two; the same file sent twice is one.
        fact = digest([str(prompt_id), [str(id) for id in ids], record.ranks and list(record.ranks), record.annotator])
        occurrences[fact] += 1
        judgment_id = uuid.uuid5(_IDS, f"{project.id}/{fact}/{occurrences[fact]}")
        comparison_id = uuid.uuid5(judgment_id, "comparison")
        # Versions of the study it comes from, as far as this one has had as many.
        version = max(1, min(record.guidelines_version or project.guidelines_version, project.guidelines_version))
        comparisons.append(
            {
                "id": comparison_id,
                "project_id": project.id,
                "prompt_id": prompt_id,
                "annotator_id": annotators[record.annotator],
                "completions": ids,
                "set_key": set_key(ids),
                "kind": record.kind,
                "policy": "imported",
                "guidelines_version": version,
                "state": "judged",
            }
        )
        judgments.append(
            {
                "id": judgment_id,
                "project_id": project.id,
                "prompt_id": prompt_id,
                "comparison_id": comparison_id,
                "annotator_id": annotators[record.annotator],
                "ranks": None if record.ranks is None else list(record.ranks),
                "none_acceptable": record.ranks is None,
                "strength": record.strength,
                "aspects": record.aspects,
                "comment": record.comment,
                "active_ms": record.active_ms,
                "ideal_answer": record.ideal_answer,
                "spans": [span.model_dump() for span in record.spans] or None,
                "guidelines_version": version,
                "gold_right": record.gold_right if record.kind == "gold" else None,
                "position": None if record.kind == "regular" else 0,
            }
        )
    new = session.scalars(insert(Comparison).on_conflict_do_nothing().returning(Comparison.id), comparisons).all()
    fresh = set(new)
    # In the order of the file: `sequence` is drawn row by row.
    kept = [row for row in judgments if row["comparison_id"] in fresh]
    if kept:
        session.execute(insert(Judgment), kept)
        ideal_answers.keep(session, [row["id"] for row in kept if row["ideal_answer"]])
    per_prompt = Counter(
        prompt_id
        for (prompt_id, record, _), row in zip(judged, judgments, strict=True)
        if row["comparison_id"] in fresh and record.kind == "regular"
    )
    corpus.count_in(session, Prompt.handed_out, per_prompt)
    report.created["comparisons"] += len(kept)
    report.created["judgments"] += len(kept)
    report.repeated += len(judgments) - len(kept)


def _annotators(session: Session, project: Project, names: set[str], report: Report) -> dict[str, uuid.UUID]:
    """People of the imported study: they exist within the project and cannot sign in."""
    keys = {f"{project.id}/{name}": name for name in sorted(names)}
    rows = [{"external_id": key, "name": name, "role": "annotator"} for key, name in keys.items()]
    created = session.scalars(insert(User).on_conflict_do_nothing().returning(User.id), rows).all()
    report.created["annotators"] += len(created)
    found = session.execute(select(User.external_id, User.id).where(User.external_id.in_(keys)))
    return {keys[key]: id for key, id in found if key is not None}
