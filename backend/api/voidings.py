"""Setting aside all judgments of an annotator over HTTP, and letting them stand again. For admins."""

import uuid
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import StringConstraints
from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.api.comparisons import AnnotatorRef
from backend.api.deps import Admin, AdminReader, SessionDep
from backend.api.projects import ProjectDep
from backend.api.wire import After, Body, Id, IdStr, Limit, Page, Time, Wire, paginate
from backend.services import voidings
from backend.tables import User, Voiding

router = APIRouter(tags=["voidings"])


class VoidingIn(Body):
    """Whose judgments to set aside, and why."""

    annotator: Id
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]


class VoidingOut(Wire):
    """Judgments set aside together: those of an annotator, or those that an adjudication overruled."""

    id: IdStr
    annotator: AnnotatorRef | None
    adjudication: IdStr | None
    reason: str
    judgments: int
    created_by: AnnotatorRef | None
    created_at: Time
    undone_by: AnnotatorRef | None
    undone_at: Time | None


def out(session: Session, rows: list[Voiding]) -> list[VoidingOut]:
    """Voidings with the names of those involved."""
    people = {id for row in rows for id in (row.annotator_id, row.created_by, row.undone_by) if id}
    names = dict(session.execute(select(User.id, User.name).where(User.id.in_(people))).all())

    def person(id: uuid.UUID | None) -> AnnotatorRef | None:
        return None if id is None else AnnotatorRef(id=str(id), name=names[id])

    return [
        VoidingOut(
            id=str(row.id),
            annotator=person(row.annotator_id),
            adjudication=None if row.adjudication_id is None else str(row.adjudication_id),
            reason=row.reason,
            judgments=row.judgments,
            created_by=person(row.created_by),
            created_at=row.created_at,
            undone_by=person(row.undone_by),
            undone_at=row.undone_at,
        )
        for row in rows
    ]


@router.post("/projects/{project}/voidings", status_code=201)
def void_annotator(project: ProjectDep, body: VoidingIn, session: SessionDep, caller: Admin) -> VoidingOut:
    """Set aside all that an annotator said in this project; others are asked in their place."""
    voiding = voidings.void_annotator(
        session, project, body.annotator, reason=body.reason, by=caller.user.id, at=datetime.now(UTC)
    )
    return out(session, [voiding])[0]


@router.get("/projects/{project}/voidings")
def list_voidings(
    project: ProjectDep, session: SessionDep, caller: AdminReader, after: After = None, limit: Limit = 50
) -> Page[VoidingOut]:
    """What was set aside together, newest first, also what stands again since."""
    query = select(Voiding).where(Voiding.project_id == project.id)
    rows, cursor = paginate(session, query, key=Voiding.id, after=after, limit=limit)
    return Page(items=out(session, rows), next=cursor)


@router.delete("/voidings/{voiding_id}")
def restore_voiding(voiding_id: uuid.UUID, session: SessionDep, caller: Admin) -> VoidingOut:
    """Let these judgments stand again; the ratings are as if they had never been set aside."""
    voiding = voidings.find(session, voiding_id)
    restored = voidings.restore(session, voiding, by=caller.user.id, at=datetime.now(UTC))
    return out(session, [restored])[0]
