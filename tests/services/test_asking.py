"""How far it is to the precision asked for, told from a part of a large project."""

import pytest
from sqlalchemy import select, update

from backend.services import asking, ratings
from backend.tables import Prompt
from tests.factories import judge_next, make_study, make_user


def test_a_part_tells_what_all_tell_where_all_are_alike(session, monkeypatch):
    project = make_study(session, prompts=12, overlap=20, target_error=60.0)
    user = make_user(session)
    assert asking.judgments_left(session, project, 12) is None, "nobody judged anything"
    for _ in range(12):  # one each
        judge_next(session, project, user)
    ratings.fold(session, project.id)
    whole = asking.judgments_left(session, project, 12)
    assert whole is not None and whole > 12
    monkeypatch.setattr(asking, "SOME_PROMPTS", 5)
    assert asking.judgments_left(session, project, 12) == whole
    # The three that are left may be none of the part: they are read themselves.
    settled = select(Prompt.id).where(Prompt.project_id == project.id).order_by(Prompt.digest).limit(9)
    session.execute(update(Prompt).where(Prompt.id.in_(settled)).values(settled=True))
    assert asking.judgments_left(session, project, 3) == pytest.approx(whole / 4)
    session.execute(update(Prompt).where(Prompt.project_id == project.id).values(settled=True))
    assert asking.judgments_left(session, project, 0) == 0
