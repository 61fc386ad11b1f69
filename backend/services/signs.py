"""Signs for review of everybody in a project, from the newest fit of annotators, their times and their answers."""

import uuid
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import text
from sqlalchemy.orm import Session

from backend.domain import signs as rules
from backend.domain.signs import Sign
from backend.services import annotator_fits
from backend.services.annotator_fits import Slope
from backend.tables import AnnotatorSlope, Project

# Of each person's times the last so many tell enough.
NEWEST = 200
# Judgments that stand, as annotators gave them; the comparison is only looked up where it could be an adjudication.
_ANSWERS = """
SELECT {columns} CASE WHEN j.ranks IS NULL THEN 'none' ELSE array_to_string(j.ranks, ',') END AS answer, count(*)
FROM judgments j
WHERE j.project_id = :project AND j.voided_at IS NULL AND j.uncounted_reason IS NULL AND {these}
      AND j.comparison_id NOT IN (SELECT id FROM comparisons WHERE project_id = :project AND kind = 'adjudication')
GROUP BY {columns} answer
"""
# Each person's last ones are read by the index; the size of a text in bytes is known without reading the text.
_TIMES = """
SELECT string_agg(int8send(uuid_hash_extended(who, 0)), ''), string_agg(int8send(active_ms::bigint), ''),
       string_agg(int8send((SELECT sum(octet_length(text)) FROM completions WHERE id = ANY(completions))::bigint), '')
FROM {people} AS people(who), LATERAL (
    SELECT j.active_ms, c.completions
    FROM judgments j JOIN comparisons c ON c.id = j.comparison_id
    WHERE j.annotator_id = who AND j.project_id = :project AND j.active_ms > 0
          AND j.voided_at IS NULL AND j.uncounted_reason IS NULL AND c.kind <> 'adjudication'
    ORDER BY j.sequence DESC LIMIT :newest
) AS timed
"""
_EVERYBODY, _ONE = "(SELECT id FROM users)", "(SELECT CAST(:person AS uuid))"


def of_project(
    session: Session, project: Project, slopes: Mapping[uuid.UUID, Slope], key_of: Mapping[uuid.UUID, int]
) -> dict[uuid.UUID, list[Sign]]:
    """The signs of each of these people (`key_of`: the hash of each one's id); who has none is left out."""
    found: dict[uuid.UUID, list[Sign]] = defaultdict(list)
    for id, one in slopes.items():
        found[id] += rules.of_slope(one.slope, one.slope_error, one.lean, one.lean_error)
    given: dict[uuid.UUID, dict[str, int]] = defaultdict(dict)
    everything = text(_ANSWERS.format(columns="j.annotator_id,", these="true"))
    for id, answer, times in session.execute(everything, {"project": project.id}):
        given[id][answer] = times
    fast = rules.too_fast(*_times(session, project, _EVERYBODY))
    same = rules.one_answer(given)
    for id, key in key_of.items():
        found[id] += [sign for sign in (fast.get(key), same.get(id)) if sign]
    return {id: some for id, some in found.items() if some}


def of_person(session: Session, project: Project, annotator_id: uuid.UUID) -> list[Sign]:
    """The same of one of them. What others took and said is read only where this one's own could be a sign."""
    found = []
    fit = annotator_fits.newest(session, project)
    slope = session.get(AnnotatorSlope, (fit.id, annotator_id)) if fit else None
    if slope is not None:
        found += rules.of_slope(slope.slope, slope.slope_error, slope.lean, slope.lean_error)
    own, *_ = _times(session, project, _ONE, person=annotator_id)
    if len(own) >= rules.TIMED_JUDGMENTS:
        found += filter(None, [rules.too_fast(*_times(session, project, _EVERYBODY)).get(int(own[0]))])
    mine = _answers(session, project, "j.annotator_id = :person", annotator_id)
    if rules.mostly(mine) is not None:
        others = _answers(session, project, "j.annotator_id <> :person", annotator_id)
        found += filter(None, [rules.one_answer({"mine": mine, "others": others}).get("mine")])
    return found


def _answers(session: Session, project: Project, these: str, person: uuid.UUID) -> dict[str, int]:
    statement = text(_ANSWERS.format(columns="", these=these))
    return dict(session.execute(statement, {"project": project.id, "person": person}).all())


def _times(session: Session, project: Project, people: str, **values: Any) -> tuple[NDArray[np.int64], ...]:
    """Columns by timed judgment: whose (the hash of the id), milliseconds, and the length of what was compared."""
    row = session.execute(text(_TIMES.format(people=people)), {"project": project.id, "newest": NEWEST, **values}).one()
    return tuple(np.frombuffer(packed or b"", dtype=">i8").astype(np.int64) for packed in row)
