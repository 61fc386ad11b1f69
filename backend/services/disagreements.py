"""Where annotators disagree: which sets of completions were ranked in opposite ways, told from the judgments that the
ratings hold, and read by admins. What an admin decides about them is the business of `adjudications`."""

import base64
import binascii
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Float, cast, select, text, tuple_
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.orm import Session

from backend.errors import Invalid
from backend.services import pages
from backend.tables import Comparison, Disagreement, Judgment, Project, Prompt, User

# With more sets than these to look at, all of the project are looked at: one walk instead of many steps.
MANY_SETS = 5_000

Order = Literal["strongest", "newest"]

# A pair of completions is in conflict where some put the one and some put the other first; a tie contradicts nobody.
# Of two answers that oppose each other, each counts as much as its strength says (1 where none is told). What is told
# of a set and of its conflicts is put together by grouping: of tables that just grew a join would go row by row.
_CONFLICTS = """
WITH said AS MATERIALIZED (
    SELECT c.set_key, c.prompt_id, c.completions, j.ranks, coalesce(j.strength, 1) AS strength, j.sequence
    FROM judgments j JOIN comparisons c ON c.id = j.comparison_id
    WHERE j.project_id = :project AND j.position > 0 AND j.voided_at IS NULL AND j.uncounted_reason IS NULL
      AND c.kind = 'regular' {these}
), pairs AS (
    SELECT set_key, least(a.id, b.id) AS one, greatest(a.id, b.id) AS other, strength,
           (ranks[a.place] < ranks[b.place]) = (a.id < b.id) AS one_won
    FROM said,
         unnest(completions) WITH ORDINALITY AS a(id, place),
         unnest(completions) WITH ORDINALITY AS b(id, place)
    WHERE a.place < b.place AND ranks[a.place] <> ranks[b.place]
), conflicts AS (
    SELECT set_key,
           (count(*) FILTER (WHERE one_won) * sum(strength) FILTER (WHERE NOT one_won)
            + count(*) FILTER (WHERE NOT one_won) * sum(strength) FILTER (WHERE one_won)) / 2.0 AS conflict
    FROM pairs GROUP BY set_key, one, other HAVING bool_or(one_won) AND bool_or(NOT one_won)
), parts AS (
    SELECT set_key, conflict, NULL::uuid AS prompt_id, NULL::uuid[] AS completions, 0 AS judgments,
           NULL::bigint AS latest
    FROM conflicts
    UNION ALL
    SELECT set_key, NULL, (array_agg(prompt_id))[1], min(completions), count(*), max(sequence)
    FROM said GROUP BY set_key
), found AS (
    SELECT set_key, (array_agg(prompt_id) FILTER (WHERE prompt_id IS NOT NULL))[1] AS prompt_id,
           (SELECT array_agg(id ORDER BY id) FROM unnest(max(completions)) AS id) AS completions,
           sum(judgments) AS judgments, sum(conflict)::double precision AS conflict, max(latest) AS latest
    FROM parts GROUP BY set_key HAVING sum(conflict) IS NOT NULL
), settled AS (
    DELETE FROM disagreements d
    WHERE project_id = :project {those} AND NOT EXISTS (SELECT FROM found WHERE found.set_key = d.set_key)
)
INSERT INTO disagreements (project_id, set_key, prompt_id, completions, judgments, conflict, latest)
SELECT :project, set_key, prompt_id, completions, judgments, conflict, latest FROM found
ON CONFLICT (project_id, set_key) DO UPDATE
SET judgments = excluded.judgments, conflict = excluded.conflict, latest = excluded.latest
"""
_ALL = text(_CONFLICTS.format(these="", those=""))
_THESE = text(
    _CONFLICTS.format(
        these="AND c.prompt_id = ANY(CAST(:prompts AS uuid[])) AND c.set_key = ANY(CAST(:keys AS uuid[]))",
        those="AND set_key = ANY(CAST(:keys AS uuid[]))",
    )
)


def refresh(session: Session, project_id: uuid.UUID, sets: Mapping[uuid.UUID, uuid.UUID] | None = None) -> None:
    """Tell anew which of these sets (key: prompt; left out: all of the project) are disagreed on."""
    connection = session.connection()
    if sets is None or len(sets) > MANY_SETS:
        connection.execute(_ALL, {"project": project_id})
    elif sets:
        given = {"project": project_id, "prompts": list(set(sets.values())), "keys": list(sets)}
        connection.execute(_THESE, given)


@dataclass(frozen=True)
class Disputed:
    """A set in dispute with the judgments of it that stand, in the order of arrival, and the standing adjudication."""

    disagreement: Disagreement
    prompt: Prompt
    judgments: list[tuple[Judgment, Comparison, str]]
    adjudication: uuid.UUID | None


def page(
    session: Session,
    project: Project,
    *,
    order: Order = "strongest",
    adjudicated: bool | None = None,
    after: str | None = None,
    limit: int = pages.DEFAULT_LIMIT,
) -> tuple[list[Disputed], str | None]:
    """Sets in dispute, and the cursor of the next page. `adjudicated`: only those that are, or are not."""
    query = select(Disagreement, Prompt).join(Prompt, Prompt.id == Disagreement.prompt_id)
    query = query.where(Disagreement.project_id == project.id)
    if adjudicated is not None:
        decided = _adjudications(project).where(Comparison.set_key == Disagreement.set_key).exists()
        query = query.where(decided if adjudicated else ~decided)
    if order == "newest":
        rows, cursor = pages.paginate_rows(session, query, key=Disagreement.latest, after=after, limit=limit)
    else:
        key = tuple_(Disagreement.conflict, Disagreement.set_key)
        if after is not None:
            conflict, set_key = _decode(after)
            last = tuple_(cast(conflict, Float), cast(set_key, UUID(as_uuid=True)))
            query = query.where(key < last)
        ordered = query.order_by(Disagreement.conflict.desc(), Disagreement.set_key.desc())
        rows = list(session.execute(ordered.limit(limit + 1)))
        cursor = _encode(rows[limit - 1][0]) if len(rows) > limit else None
        rows = rows[:limit]
    judged = _judgments(session, project, [row[0] for row in rows])
    decisions = dict(
        session.execute(
            _adjudications(project)
            .with_only_columns(Comparison.set_key, Judgment.id)
            .where(Comparison.set_key.in_([row[0].set_key for row in rows]))
        ).all()
    )
    return [
        Disputed(row[0], row[1], judged.get(row[0].set_key, []), decisions.get(row[0].set_key)) for row in rows
    ], cursor


def _adjudications(project: Project) -> Any:
    """Adjudications of the project that stand."""
    return (
        select(Judgment.id)
        .join(Comparison, Comparison.id == Judgment.comparison_id)
        .where(
            Comparison.project_id == project.id,
            Comparison.kind == "adjudication",
            Judgment.stands,
        )
    )


def _judgments(
    session: Session, project: Project, sets: Sequence[Disagreement]
) -> dict[uuid.UUID, list[tuple[Judgment, Comparison, str]]]:
    found: dict[uuid.UUID, list[tuple[Judgment, Comparison, str]]] = {}
    rows = session.execute(
        select(Judgment, Comparison, User.name)
        .join(Comparison, Comparison.id == Judgment.comparison_id)
        .join(User, User.id == Judgment.annotator_id)
        .where(
            Comparison.project_id == project.id,
            Comparison.prompt_id.in_({one.prompt_id for one in sets}),
            Comparison.set_key.in_({one.set_key for one in sets}),
            Comparison.kind == "regular",
            Judgment.stands,
        )
        .order_by(Judgment.sequence)
    )
    for judgment, comparison, name in rows:
        found.setdefault(comparison.set_key, []).append((judgment, comparison, name))
    return found


def _encode(last: Disagreement) -> str:
    return base64.urlsafe_b64encode(f"{last.conflict!r} {last.set_key}".encode()).decode().rstrip("=")


def _decode(cursor: str) -> tuple[float, uuid.UUID]:
    try:
        conflict, _, key = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii").partition(" ")
        return float(conflict), uuid.UUID(key)
    except (binascii.Error, UnicodeError, ValueError):
        raise Invalid("after is not a cursor of this list; take it from `next` of the page before.", "after") from None
