"""What people said of pairs of completions, in bulk: out of the database as arrays, not as rows.

A project may hold a million judgments, and an object for each id of each would take most of the time. Ids arrive as
64-bit hashes instead: among a million, two fall together once in some ten million projects.
"""

import uuid
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from backend.domain.agreement import Answers
from backend.domain.judgments import MAX_SIZE
from backend.tables import Project

# No judgment comes after this one.
LAST = 2**63 - 1

# Judgments that stand, as annotators gave them (an admin's adjudication is not one of them), one row a pair. `score`
# is 2, 1 or 0: what was shown first won, tied, lost; "none is acceptable" ties all.
_PAIRS = """
SELECT {columns} FROM (
    SELECT uuid_hash_extended(j.annotator_id, 0) AS person,
           uuid_hash_extended(least(x, y), 0) # uuid_hash_extended(greatest(x, y), 1) AS unit,
           (CASE WHEN j.ranks IS NULL OR j.ranks[a] = j.ranks[b] THEN 1 WHEN j.ranks[a] < j.ranks[b] THEN 2 ELSE 0 END)
           AS score,
           (x > y)::int AS turned, x, y,
           CASE WHEN cardinality(c.completions) = 2 THEN coalesce(j.strength, 1) ELSE 1 END AS strength,
           extract(epoch FROM j.created_at)::bigint AS created, j.guidelines_version AS version,
           (a = 1 AND b = 2)::int AS first_pair
    FROM {source}, LATERAL (
        SELECT a, b, c.completions[a] AS x, c.completions[b] AS y
        FROM (VALUES {places}) AS places (a, b) WHERE b <= cardinality(c.completions)
    ) AS shown
    WHERE j.project_id = :project AND c.project_id = :project
          AND j.voided_at IS NULL AND j.uncounted_reason IS NULL AND c.kind <> 'adjudication'
          {these}
) AS pairs
"""
# All pairs of places in a set: a plain list, so that PostgreSQL knows about how many there are and plans well.
_PLACES = ", ".join(f"({a}, {b})" for b in range(2, MAX_SIZE + 1) for a in range(1, b))
_JUDGED = "judgments j JOIN comparisons c ON c.id = j.comparison_id"
# What others said of the prompts that one person judged: of the same sets, and where sets are larger than two, of
# those that may share a pair.
_SAME = """(
    WITH mine AS MATERIALIZED (
        SELECT DISTINCT c.prompt_id, c.set_key, cardinality(c.completions) > 2 AS large
        FROM judgments j JOIN comparisons c ON c.id = j.comparison_id
        WHERE j.annotator_id = :person AND j.project_id = :project
              AND j.voided_at IS NULL AND j.uncounted_reason IS NULL
    )
    SELECT c.* FROM comparisons c JOIN (SELECT DISTINCT prompt_id FROM mine) AS prompts USING (prompt_id)
    WHERE c.project_id = :project AND c.annotator_id <> :person
      AND (c.set_key IN (SELECT set_key FROM mine) OR cardinality(c.completions) > 2
           OR c.prompt_id IN (SELECT prompt_id FROM mine WHERE large))
) AS c JOIN judgments j ON j.comparison_id = c.id"""


def of_project(session: Session, project: Project) -> Answers:
    """Everybody's."""
    return told(_read(session, project, "", source=_JUDGED))


def in_time(session: Session, project: Project, person: uuid.UUID | None = None) -> dict[str, NDArray[np.int64]]:
    """The same in columns for `told`, with when (`created`, in seconds) and under which version of the guidelines
    (`version`) each was given; `first_pair` is 1 once a judgment. With a person, theirs and what others said of the
    same."""
    if person is None:
        return _read(session, project, "", source=_JUDGED, columns=_IN_TIME)
    own = _read(session, project, "AND j.annotator_id = :person", source=_JUDGED, columns=_IN_TIME, person=person)
    others = _read(session, project, "", source=_SAME, columns=_IN_TIME, person=person)
    return {name: np.concatenate([own[name], others[name]]) for name in own}


def of_person(session: Session, project: Project, person: uuid.UUID, up_to: int | None = None) -> Answers:
    """One person's (up to one in the order of arrival), and what others said of the same pairs."""
    these = "AND j.annotator_id = :person AND j.sequence <= :up_to"
    own = _read(session, project, these, source=_JUDGED, person=person, up_to=LAST if up_to is None else up_to)
    others = _read(session, project, "", source=_SAME, person=person)
    return told({name: np.concatenate([own[name], others[name]]) for name in own})


def people(session: Session, ids: Any) -> dict[int, uuid.UUID]:
    """Whose hash is whose, among these ids."""
    rows = session.execute(
        text("SELECT uuid_hash_extended(id, 0), id FROM users WHERE id = ANY(:ids)"), {"ids": list(ids)}
    )
    return dict(rows.all())


def key_of(session: Session, person: uuid.UUID) -> int:
    """The hash of one person's id."""
    return int(session.scalar(text("SELECT uuid_hash_extended(:id, 0)"), {"id": person}) or 0)


def lengths_of_person(
    session: Session, project: Project, person: uuid.UUID
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """One person's scores, and by how many characters what was shown first is longer."""
    found = _read(
        session,
        project,
        "AND j.annotator_id = :person",
        source=_JUDGED,
        columns={"score": "score", "longer": f"{_LENGTH.format(id='x')} - {_LENGTH.format(id='y')}"},
        person=person,
    )
    return found["score"], found["longer"]


_LENGTH = "(SELECT char_length(text) FROM completions WHERE id = {id})"
_COLUMNS = {name: name for name in ("person", "unit", "score", "turned", "strength")}
_IN_TIME = _COLUMNS | {name: name for name in ("created", "version", "first_pair")}


def _read(
    session: Session,
    project: Project,
    these: str,
    *,
    source: str,
    columns: dict[str, str] = _COLUMNS,
    **values: Any,
) -> dict[str, NDArray[np.int64]]:
    """Columns of the pairs as arrays: each is sent as one string of bytes."""
    packed = ", ".join(f"string_agg(int8send({column}), '')" for column in columns.values())
    statement = text(_PAIRS.format(columns=packed, source=source, these=these, places=_PLACES))
    row = session.execute(statement, {"project": project.id, **values}).one()
    return {
        name: np.frombuffer(packed or b"", dtype=">i8").astype(np.int64)
        for name, packed in zip(columns, row, strict=True)
    }


def told(found: dict[str, NDArray[np.int64]]) -> Answers:
    """Answers of columns as they were read."""
    return Answers.of_arrays(found["person"], found["unit"], found["score"], found["turned"], found["strength"])
