"""Whose turn it is in the queue: a prompt that was judged by people who tell little comes as much sooner, so that all
prompts are told about equally much, not judged equally often."""

import uuid
from collections.abc import Collection

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from backend.tables import Project, Prompt

PROMPTS_AT_ONCE = 1_000

# Everybody counts as `domain.annotators.told` says; who is not in the fit counts as the average, and leaves nothing
# missing. Added up in the order of the ratings, so that the same judgments give the same digits.
_MISSING = """
SELECT p.id, coalesce(sum(1 - power(greatest(s.slope, 0), 2) ORDER BY j.position)
                      FILTER (WHERE s.slope IS NOT NULL), 0) AS missing
FROM prompts p
LEFT JOIN judgments j ON j.prompt_id = p.id AND j.position > 0 AND j.voided_at IS NULL AND j.uncounted_reason IS NULL
LEFT JOIN annotator_slopes s ON s.annotator_id = j.annotator_id AND s.fit_id = :fit
WHERE p.id = ANY(CAST(:prompts AS uuid[])) GROUP BY p.id
"""
# The newest fit, told once for each prompt; none, and nothing locked, where there is none. In the order of ids, as
# everybody does who locks several.
_LOCK = text("""
SELECT fit.id
FROM prompts p, (SELECT id FROM annotator_fits WHERE project_id = :project ORDER BY number DESC LIMIT 1) AS fit
WHERE p.id = ANY(CAST(:prompts AS uuid[])) ORDER BY p.id FOR NO KEY UPDATE OF p
""")
_STORE = text(
    f"UPDATE prompts SET missing = told.missing FROM ({_MISSING}) AS told "
    "WHERE prompts.id = told.id AND prompts.missing <> told.missing"
)


def refresh(session: Session, project: Project, prompts: Collection[uuid.UUID]) -> None:
    """Tell anew what is missing of these prompts, by the newest fit of annotators. They stay locked."""
    connection = session.connection()
    fits = connection.scalars(_LOCK, {"project": project.id, "prompts": list(prompts)}).all()
    if fits:
        connection.execute(_STORE, {"fit": fits[0], "prompts": list(prompts)})


def refresh_next(session: Session, project_id: uuid.UUID, after: uuid.UUID | None) -> uuid.UUID | None:
    """The same for the next thousand prompts of a project, so that nobody waits long; returns the last, None at the
    end. Those that nobody judges meanwhile learn of a new fit this way, the others with their next judgment."""
    next_ones = select(Prompt.id).where(Prompt.project_id == project_id).order_by(Prompt.id).limit(PROMPTS_AT_ONCE)
    if after is not None:
        next_ones = next_ones.where(Prompt.id > after)
    prompts = session.scalars(next_ones).all()
    if prompts:
        refresh(session, session.get_one(Project, project_id), prompts)
    return prompts[-1] if len(prompts) == PROMPTS_AT_ONCE else None
