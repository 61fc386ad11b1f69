"""Projects: make, find, change, and count what they hold."""

import re
import unicodedata
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from backend.domain.judgments import Protocol
from backend.domain.masks import clean as clean_masks
from backend.errors import Conflict, Invalid, NotFound
from backend.services import ratings, skips
from backend.tables import Completion, GuidelinesVersion, Judgment, Project, Prompt

T = TypeVar("T")

STATES = ("active", "paused", "closed", "archived")


@dataclass(frozen=True)
class Counts:
    """How much a project holds; `judgments` are those that count."""

    prompts: int
    completions: int
    models: int
    judgments: int
    annotators: int


def slugify(name: str) -> str:
    """`Crème brûlée, 2nd study` -> `creme-brulee-2nd-study`."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", ascii_name.lower()).strip("-")[:60].strip("-")


def create(
    session: Session,
    *,
    name: str,
    guidelines: str = "",
    protocol: Protocol | None = None,
    overlap: int = 1,
    gold_share: float = 0.0,
    repeat_share: float = 0.0,
    random_share: float = 0.1,
    lease_minutes: float = 10.0,
    target_error: float | None = None,
    skips_to_retire: int | None = None,
    masks: Sequence[str] = (),
    qualification_share: float = 0.8,
    people_ranking: bool = False,
    created_by: uuid.UUID | None = None,
) -> Project:
    """Start a study. Raises Conflict when the name (as a slug) is taken."""
    slug = slugify(name) or f"project-{uuid.uuid4().hex[:8]}"
    if session.scalar(select(Project.id).where(Project.slug == slug)):
        raise Conflict(f"A project named “{name}” is already there; choose another name.", field="name")
    project = Project(
        slug=slug,
        name=name.strip(),
        guidelines=guidelines,
        guidelines_version=1,
        protocol=(protocol or Protocol()).model_dump(mode="json"),
        overlap=overlap,
        gold_share=gold_share,
        repeat_share=repeat_share,
        random_share=random_share,
        lease_minutes=lease_minutes,
        target_error=target_error,
        skips_to_retire=skips_to_retire,
        masks=clean_masks(masks),
        qualification_share=qualification_share,
        people_ranking=people_ranking,
        state="active",
        created_by=created_by,
    )
    _check_shares(project)
    session.add(project)
    session.flush()
    session.add(GuidelinesVersion(project_id=project.id, version=1, text=guidelines))
    session.flush()
    return project


def find(session: Session, key: str) -> Project:
    """The project with this id or slug. Raises NotFound."""
    try:
        condition = Project.id == uuid.UUID(key)
    except ValueError:
        condition = Project.slug == key
    project = session.scalar(select(Project).where(condition))
    if project is None:
        raise NotFound(f"There is no project “{key}”.")
    return project


def change(session: Session, project: Project, changes: dict[str, Any]) -> Project:
    """Apply the given fields. New guidelines become a new version; the size asked for cannot change once judged."""
    if "target_error" in changes:
        ratings.change_target(session, project, changes.pop("target_error"))
    if "protocol" in changes:
        protocol: Protocol = changes.pop("protocol")
        judged = session.scalar(select(Judgment.id).where(Judgment.project_id == project.id).limit(1))
        if judged and protocol.size != Protocol.model_validate(project.protocol).size:
            raise Conflict(
                "This project has judgments already, so the number of completions compared cannot change.",
                field="protocol.size",
            )
        if protocol != Protocol.model_validate(project.protocol):
            project.protocol = protocol.model_dump(mode="json")
            project.protocol_changed_at = session.scalar(select(func.clock_timestamp()))
    guidelines = changes.pop("guidelines", None)
    if guidelines is not None and guidelines != project.guidelines:
        project.guidelines = guidelines
        project.guidelines_version += 1
        session.add(GuidelinesVersion(project_id=project.id, version=project.guidelines_version, text=guidelines))
    if changes.get("state", project.state) not in STATES:
        raise Invalid(f"A project is one of {', '.join(STATES)}.", field="state")
    if "masks" in changes:
        changes["masks"] = clean_masks(changes["masks"])
    retires = changes.get("skips_to_retire", project.skips_to_retire) != project.skips_to_retire
    for field, value in changes.items():
        setattr(project, field, value)
    _check_shares(project)
    session.flush()
    if retires:
        skips.count_retired(session, project)
    return project


def guidelines(project: Project) -> Select[GuidelinesVersion]:
    """Every version of the guidelines."""
    return select(GuidelinesVersion).where(GuidelinesVersion.project_id == project.id)


def _check_shares(project: Project) -> None:
    if project.gold_share + project.repeat_share > 1:
        raise Invalid("The shares of gold and repeated comparisons add up to more than 1.", field="repeat_share")


def counts(session: Session, project_ids: list[uuid.UUID]) -> dict[uuid.UUID, Counts]:
    """The counts of several projects, in a handful of grouped queries."""

    def grouped(column: Any, what: Any, *conditions: Any) -> dict[uuid.UUID, int]:
        rows = session.execute(select(column, what).where(column.in_(project_ids), *conditions).group_by(column))
        return {project: int(n) for project, n in rows}

    prompts = grouped(Prompt.project_id, func.count())
    completions = grouped(Completion.project_id, func.count())
    models = grouped(Completion.project_id, func.count(Completion.model_id.distinct()))
    judgments = grouped(Judgment.project_id, func.count(), Judgment.stands)
    annotators = grouped(Judgment.project_id, func.count(Judgment.annotator_id.distinct()), Judgment.stands)
    return {
        id: Counts(
            prompts.get(id, 0), completions.get(id, 0), models.get(id, 0), judgments.get(id, 0), annotators.get(id, 0)
        )
        for id in project_ids
    }


def within(
    session: Session,
    project_id: uuid.UUID,
    function: Callable[..., T],
    args: Sequence[object],
    more: Mapping[str, object],
) -> T:
    """`function(session, project, ...)`, for callers that can name a project but not hand it over."""
    return function(session, session.get_one(Project, project_id), *args, **more)
