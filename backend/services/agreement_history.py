"""Agreement, gold and consistency over time, and by version of the guidelines: of a project, or of one annotator.

Each point tells of what was judged in its time alone; one annotator's answers are held against all that others said.
"""

import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from backend.domain import agreement as rules
from backend.domain.periods import periods
from backend.domain.shares import Share
from backend.services import answers, work
from backend.tables import Project

By = Literal["time", "guidelines_version"]


@dataclass(frozen=True)
class Point(rules.Agreement):
    """One stretch of time, or what was judged under one version. `agreement`: of one annotator with the others."""

    label: str = ""
    start: datetime | None = None
    end: datetime | None = None
    judgments: int = 0
    agreement: Share | None = None
    repeat_consistency: Share | None = None
    gold: Share | None = None


@dataclass(frozen=True)
class _Stretch:
    label: str
    start: datetime
    end: datetime
    holds: Callable[[work.Asked], bool]
    rows: NDArray[np.bool_]


def of_project(
    session: Session,
    project: Project,
    by: By,
    *,
    annotator_id: uuid.UUID | None = None,
    utc_offset_minutes: int = 0,
) -> list[Point]:
    """The points in order of time or version; days, weeks, ... are those of a clock so far from UTC."""
    told = answers.in_time(session, project, annotator_id)
    mine = np.ones(len(told["person"]), bool)
    key = None
    if annotator_id is not None:
        key = answers.key_of(session, annotator_id)
        mine = told["person"] == key
    if not mine.any():
        return []
    repeats, gold = work.repeats(session, project, annotator_id), work.checks(session, project, annotator_id)
    found = []
    for stretch in _by_time(told, mine, utc_offset_minutes) if by == "time" else _by_version(told, mine):
        rows = stretch.rows if key is None else stretch.rows | ~mine
        here = answers.told({name: column[rows] for name, column in told.items()})
        own = None if key is None else rules.annotators(here).get(key)
        found.append(
            Point(
                **asdict(rules.agreement(here) if key is None else rules.Agreement()),
                label=stretch.label,
                start=stretch.start,
                end=stretch.end,
                judgments=int(told["first_pair"][stretch.rows].sum()),
                agreement=own.majority_agreement if own else None,
                repeat_consistency=work.share_of_all(one for one in repeats if stretch.holds(one)),
                gold=work.share_of_all(one for one in gold if stretch.holds(one)),
            )
        )
    return found


def _by_time(told: dict[str, NDArray[np.int64]], mine: NDArray[np.bool_], utc_offset_minutes: int) -> list[_Stretch]:
    created = told["created"]
    calendar = periods(float(created[mine].min()), float(created[mine].max()), utc_offset_minutes)
    place = np.searchsorted([period.start.timestamp() for period in calendar], created, side="right") - 1
    return [
        _Stretch(
            period.label,
            period.start,
            period.end,
            lambda one, period=period: period.start <= one.created_at < period.end,  # type: ignore[misc]
            mine & (place == number),
        )
        for number, period in enumerate(calendar)
    ]


def _by_version(told: dict[str, NDArray[np.int64]], mine: NDArray[np.bool_]) -> list[_Stretch]:
    found = []
    for version in np.unique(told["version"][mine]).tolist():
        rows = mine & (told["version"] == version)
        first, last = (
            datetime.fromtimestamp(int(at), UTC) for at in (told["created"][rows].min(), told["created"][rows].max())
        )
        found.append(
            _Stretch(
                str(version),
                first,
                last + timedelta(seconds=1),
                lambda one, version=version: one.guidelines_version == version,  # type: ignore[misc]
                rows,
            )
        )
    return found
