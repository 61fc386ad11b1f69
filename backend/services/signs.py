"""Signs for review of everybody in a project, from the newest fit of annotators, their times and their answers."""

import uuid
from collections import defaultdict
from collections.abc import Mapping

import numpy as np
from sqlalchemy import text
from sqlalchemy.orm import Session

from backend.domain import signs as rules
from backend.domain.signs import Sign
from backend.services import annotator_fits, answers
from backend.services.annotator_fits import Slope
from backend.tables import Project

# Of each person's times the last so many tell enough.
NEWEST = 200
# Judgments that stand, as annotators gave them.
_ANSWERS = """
SELECT j.annotator_id, CASE WHEN j.ranks IS NULL THEN 'none' ELSE array_to_string(j.ranks, ',') END, count(*)
FROM judgments j JOIN comparisons c ON c.id = j.comparison_id
WHERE j.project_id = :project AND j.voided_at IS NULL AND j.uncounted_reason IS NULL AND c.kind <> 'adjudication'
GROUP BY 1, 2
"""
# Each person's last ones are read by the index; the size of a text in bytes is known without reading the text.
_TIMES = """
SELECT string_agg(int8send(uuid_hash_extended(who, 0)), ''), string_agg(int8send(active_ms::bigint), ''),
       string_agg(int8send((SELECT sum(octet_length(text)) FROM completions WHERE id = ANY(completions))::bigint), '')
FROM unnest(CAST(:people AS uuid[])) AS who, LATERAL (
    SELECT j.active_ms, c.completions
    FROM judgments j JOIN comparisons c ON c.id = j.comparison_id
    WHERE j.annotator_id = who AND j.project_id = :project AND j.active_ms > 0
          AND j.voided_at IS NULL AND j.uncounted_reason IS NULL AND c.kind <> 'adjudication'
    ORDER BY j.sequence DESC LIMIT :newest
) AS timed
"""


def of_project(
    session: Session, project: Project, slopes: Mapping[uuid.UUID, Slope], key_of: Mapping[uuid.UUID, int]
) -> dict[uuid.UUID, list[Sign]]:
    """The signs of each of these people (`key_of`: the hash of each one's id); who has none is left out."""
    found: dict[uuid.UUID, list[Sign]] = defaultdict(list)
    for id, one in slopes.items():
        found[id] += rules.of_slope(one.slope, one.slope_error, one.lean, one.lean_error)
    given: dict[uuid.UUID, dict[str, int]] = defaultdict(dict)
    for id, answer, times in session.execute(text(_ANSWERS), {"project": project.id}):
        given[id][answer] = times
    asked = {"project": project.id, "people": list(given), "newest": NEWEST}
    person, taken, length = (
        np.frombuffer(packed or b"", dtype=">i8").astype(np.int64)
        for packed in session.execute(text(_TIMES), asked).one()
    )
    fast = rules.too_fast(person, taken, length)
    same = rules.one_answer(given)
    for id, key in key_of.items():
        found[id] += [sign for sign in (fast.get(key), same.get(id)) if sign]
    return {id: some for id, some in found.items() if some}


def of_person(session: Session, project: Project, annotator_id: uuid.UUID) -> list[Sign]:
    """Those of one of them; others are read too, since signs are told from how they differ."""
    fit = annotator_fits.newest(session, project)
    slopes = annotator_fits.slopes(session, fit) if fit else {}
    mine = {annotator_id: slopes[annotator_id]} if annotator_id in slopes else {}
    found = of_project(session, project, mine, {annotator_id: answers.key_of(session, annotator_id)})
    return found.get(annotator_id, [])
