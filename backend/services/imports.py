"""Imports: files of prompts, completions, judgments and texts into a project, each fact once however often it is sent.

A file is taken in by steps, each whole in itself. After each the edge commits, so that those who judge meanwhile wait
for a step at most, and an import that is broken off leaves a beginning of the file: the same file sent again goes on
from there. Nothing is handed out for what was judged elsewhere: an imported judgment brings its own comparison.
Judgments keep the order of the file, and with it the Elo that follows from that order.
"""

import json
import uuid
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import IO, Any

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import UUID, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from backend.database import may_pass
from backend.domain.digests import digest
from backend.domain.formats import readers
from backend.domain.formats.records import (
    Answer,
    CompletionRecord,
    DemonstrationRecord,
    DocumentRecord,
    JudgmentRecord,
    PromptRecord,
    Record,
    Rejected,
    weight,
)
from backend.domain.occurrences import Occurrences
from backend.domain.pairing import set_key
from backend.services import bulk, copying, corpus, ideal_answers, ratings
from backend.tables import Comparison, Judgment, Model, Project, Prompt, User

# A step ends with so many records, or so many characters of text.
STEP_RECORDS = 4_000
STEP_TEXT = 8_000_000
# Tables are counted anew for the planner when so many rows have come, and again at every fourfold.
ANALYSE_AFTER = 1_000
TRIES = 3
REJECTED_SHOWN = 200
_IDS = uuid.UUID("5b0f7a0e-6c5b-5c1e-9a55-0d6f6f646975")

Judged = tuple[uuid.UUID, JudgmentRecord, list[uuid.UUID]]


@dataclass
class Report:
    """What became of a file: how much was read, what was new, what was there already, and the lines refused."""

    format: str
    read: int = 0
    created: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    rejected_total: int = 0
    # When all is stored: how many judgments waited for the ratings then, and how many of these are in them by now.
    to_rate: int = 0
    rated: int = 0

    def reject(self, rejected: Rejected) -> None:
        """Note a line that was refused."""
        self.rejected_total += 1
        if len(self.rejected) < REJECTED_SHOWN:
            self.rejected.append(rejected)

    def add(self, more: "Report") -> None:
        """Take in the report of a step."""
        self.read += more.read
        self.created.update(more.created)
        self.repeated += more.repeated
        self.rejected_total += more.rejected_total
        self.rejected += more.rejected[: REJECTED_SHOWN - len(self.rejected)]


def load(session: Session, project: Project, file: IO[bytes], *, format: str | None, filename: str = "") -> Report:
    """Read a whole file into a project, its judgments into the ratings too. Raises Invalid when it cannot be read."""
    *_, report = steps(session, project, file, format=format, filename=filename)
    return report


def steps(
    session: Session, project: Project, file: IO[bytes], *, format: str | None, filename: str = ""
) -> Generator[Report, None, None]:
    """The same, step by step: what became of the file so far, to be committed each time; the last one is the whole.
    Raises Invalid before the first step when the file cannot be read at all."""
    chosen = readers.guess(file, filename) if format is None else readers.check_format(format)
    report = Report(chosen)
    taking = _Import(session, project)
    analyse_at = ANALYSE_AFTER
    with closing(_ahead(_batches(readers.read(chosen, file, filename)))) as batches:
        for batch in batches:
            report.add(taking.step(batch, chosen))
            if report.created.total() >= analyse_at:
                # Until PostgreSQL counts on its own, a minute later, it would plan as if the tables were empty, and
                # what takes a tenth of a second would take a minute.
                session.execute(text("ANALYZE (SKIP_LOCKED) prompts, completions, comparisons, judgments"))
                analyse_at = 4 * report.created.total()
            yield report
    if report.created["judgments"]:
        yield from _rate(session, project, report)
    else:
        yield report


def _rate(session: Session, project: Project, report: Report) -> Iterator[Report]:
    """The dispatcher folds judgments all the while; the rest of them is folded here, step by step. Broken off, that is
    left to the dispatcher."""
    report.to_rate = ratings.waiting(session, project.id)
    folded, put_off = ratings.AT_MOST, set[uuid.UUID]()
    while folded >= ratings.AT_MOST:
        # It may wait for the dispatcher's.
        session.execute(text("SET LOCAL lock_timeout = 0"))
        session.execute(text("SET LOCAL statement_timeout = 0"))
        folded = ratings.fold(session, project.id, ratings.AT_MOST, put_off)
        report.rated = max(0, report.to_rate - ratings.waiting(session, project.id))
        yield report


def _batches(records: Iterable[Record | Rejected]) -> Iterator[list[Record | Rejected]]:
    batch: list[Record | Rejected] = []
    text = 0
    for record in records:
        batch.append(record)
        text += weight(record)
        if len(batch) >= STEP_RECORDS or text >= STEP_TEXT:
            yield batch
            batch, text = [], 0
    if batch:
        yield batch


def _ahead(batches: Iterator[list[Record | Rejected]]) -> Generator[list[Record | Rejected], None, None]:
    """The same batches, the next of which is read while the database keeps this one."""
    with ThreadPoolExecutor(1, thread_name_prefix="import") as reader:
        coming = reader.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = reader.submit(next, batches, None)
            yield batch


class _Import:
    """One file on its way into a project: what it has met so far."""

    def __init__(self, session: Session, project: Project) -> None:
        self.session = session
        self.project = project
        self.occurrences = Occurrences()
        self.models: dict[str, uuid.UUID] = {}
        self.annotators: dict[str, uuid.UUID] = {}

    def step(self, batch: list[Record | Rejected], format: str) -> Report:
        """Keep these records; again from the beginning where somebody else was in the way."""
        before = self.occurrences
        for attempt in range(1, TRIES + 1):
            self.occurrences = before.copy()
            report = Report(format, read=len(batch))
            for record in batch:
                if isinstance(record, Rejected):
                    report.reject(record)
            try:
                with self.session.begin_nested():
                    self._lock()
                    self._keep([record for record in batch if not isinstance(record, Rejected)], report)
                return report
            except DBAPIError as error:
                self.models, self.annotators = {}, {}
                if attempt == TRIES or error.connection_invalidated or not may_pass(error):
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _lock(self) -> None:
        """One step at a time in a project: the same file sent twice at once is still one."""
        key = func.hashtextextended(f"import/{self.project.id}", 0)
        self.session.execute(select(func.pg_advisory_xact_lock(key)))

    def _keep(self, records: list[Record], report: Report) -> None:
        session, project = self.session, self.project
        documents = [record.text for record in records if isinstance(record, DocumentRecord)]
        _count(report, "documents", len(documents), corpus.add_documents(session, project.id, documents))
        shown = [(r.messages, r.text) for r in records if isinstance(r, DemonstrationRecord)]
        _count(report, "demonstrations", len(shown), corpus.add_demonstrations(session, project.id, shown))

        asking = [r for r in records if isinstance(r, PromptRecord | CompletionRecord | JudgmentRecord)]
        asking = self._without_our_own(asking, report)
        prompt_ids, created = corpus.ensure_prompts(session, project.id, [record.messages for record in asking])
        only_prompts = sum(isinstance(record, PromptRecord) for record in asking)
        report.created["prompts"] += created
        report.repeated += max(0, only_prompts - created)

        answers = [(id, answer) for id, record in zip(prompt_ids, asking, strict=True) for answer in _answers(record)]
        self._learn_models({answer.model for _, answer in answers}, report)
        rows = [{"prompt_id": id, "model_id": self.models[answer.model], "text": answer.text} for id, answer in answers]
        completion_ids, created = corpus.ensure_completions(session, project.id, rows)
        report.created["completions"] += created
        only_completions = sum(isinstance(record, CompletionRecord) for record in asking)
        report.repeated += max(0, only_completions - created)

        taken = iter(completion_ids)
        judged: list[Judged] = []
        for prompt_id, record in zip(prompt_ids, asking, strict=True):
            ids = [next(taken) for _ in _answers(record)]
            if not isinstance(record, JudgmentRecord):
                continue
            if len(set(ids)) == len(ids):
                judged.append((prompt_id, record, ids))
            else:
                report.reject(Rejected(record.line, "two of the completions compared are the same"))
        self._keep_judgments(judged, report)

    def _without_our_own(
        self, records: list[PromptRecord | CompletionRecord | JudgmentRecord], report: Report
    ) -> list[PromptRecord | CompletionRecord | JudgmentRecord]:
        """An export of this project that comes back brings judgments that are here already, under their own ids."""
        origins = {r.origin for r in records if isinstance(r, JudgmentRecord) and r.origin is not None}
        if not origins:
            return records
        listed = bulk.table({"id": (UUID(as_uuid=True), list(origins))})
        found = select(Judgment.id).join(listed, listed.c.id == Judgment.id)
        here = set(self.session.scalars(found.where(Judgment.project_id == self.project.id)))
        others = [r for r in records if not (isinstance(r, JudgmentRecord) and r.origin in here)]
        report.repeated += len(records) - len(others)
        return others

    def _learn_models(self, names: set[str], report: Report) -> None:
        """Ids by name as the file writes it: a registered model's own name, else `imported/...`."""
        names = names - self.models.keys()
        registered = {name.removeprefix("imported/"): name for name in names}
        found = self.session.execute(select(Model.name, Model.id).where(Model.name.in_(registered)))
        self.models.update((registered[name], id) for name, id in found)
        imported, created = corpus.ensure_imported_models(self.session, names - self.models.keys())
        report.created["models"] += created
        self.models |= imported

    def _learn_annotators(self, names: set[str], report: Report) -> None:
        """People of the imported study: they exist within the project and cannot sign in."""
        keys = {f"{self.project.id}/{name}": name for name in sorted(names - self.annotators.keys())}
        if not keys:
            return
        rows = [{"external_id": key, "name": name, "role": "annotator"} for key, name in keys.items()]
        created = self.session.scalars(insert(User).on_conflict_do_nothing().returning(User.id), rows).all()
        report.created["annotators"] += len(created)
        found = self.session.execute(select(User.external_id, User.id).where(User.external_id.in_(keys)))
        self.annotators.update((keys[key], id) for key, id in found if key is not None)

    def _keep_judgments(self, judged: list[Judged], report: Report) -> None:
        if not judged:
            return
        self._learn_annotators({record.annotator for _, record, _ in judged}, report)
        # The same vote may stand in a file twice, and then it is two; the same file sent twice is one.
        facts = [
            digest([str(prompt_id), [str(id) for id in ids], record.ranks and list(record.ranks), record.annotator])
            for prompt_id, record, ids in judged
        ]
        numbers = self.occurrences.number(facts)
        ids = [
            uuid.uuid5(_IDS, f"{self.project.id}/{fact}/{number}") for fact, number in zip(facts, numbers, strict=True)
        ]
        listed = bulk.table({"id": (UUID(as_uuid=True), ids)})
        known = set(self.session.scalars(select(Judgment.id).join(listed, listed.c.id == Judgment.id)))
        new = [(id, *one) for id, one in zip(ids, judged, strict=True) if id not in known]
        comparisons, judgments = [], []
        for id, prompt_id, record, completions in new:
            comparison, judgment = self._rows(id, prompt_id, record, completions)
            comparisons.append(comparison)
            judgments.append(judgment)
        copying.copy(self.session, Comparison.__tablename__, comparisons)
        # In the order of the file: `sequence` is drawn row by row.
        copying.copy(self.session, Judgment.__tablename__, judgments)
        ideal_answers.keep(self.session, [id for id, _, record, _ in new if record.ideal_answer])
        rated = Counter(prompt_id for _, prompt_id, record, _ in new if record.kind == "regular")
        corpus.count_in(self.session, Prompt.handed_out, rated)
        report.created["comparisons"] += len(new)
        report.created["judgments"] += len(new)
        report.repeated += len(judged) - len(new)

    def _rows(
        self, id: uuid.UUID, prompt_id: uuid.UUID, record: JudgmentRecord, completions: list[uuid.UUID]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The comparison that a judgment answers, and the judgment."""
        comparison_id = uuid.uuid5(id, "comparison")
        latest = self.project.guidelines_version
        shared = {
            "project_id": self.project.id,
            "prompt_id": prompt_id,
            "annotator_id": self.annotators[record.annotator],
            # Versions of the study it comes from, as far as this one has had as many.
            "guidelines_version": max(1, min(record.guidelines_version or latest, latest)),
        }
        comparison = {
            **shared,
            "id": comparison_id,
            "completions": completions,
            "set_key": set_key(completions),
            "kind": record.kind,
            "policy": "imported",
            "state": "judged",
        }
        judgment = {
            **shared,
            "id": id,
            "comparison_id": comparison_id,
            "ranks": record.ranks,
            "none_acceptable": record.ranks is None,
            "strength": record.strength,
            "aspects": record.aspects and json.dumps(record.aspects, ensure_ascii=False),
            "comment": record.comment,
            "active_ms": record.active_ms,
            "ideal_answer": record.ideal_answer,
            "spans": json.dumps([span.model_dump() for span in record.spans]) if record.spans else None,
            "gold_right": record.gold_right if record.kind == "gold" else None,
            "position": None if record.kind == "regular" else 0,
        }
        return comparison, judgment


def _answers(record: Record) -> tuple[Answer, ...]:
    if isinstance(record, JudgmentRecord):
        return record.answers
    return (record.answer,) if isinstance(record, CompletionRecord) else ()


def _count(report: Report, noun: str, sent: int, created: int) -> None:
    if sent:
        report.created[noun] += created
        report.repeated += sent - created
