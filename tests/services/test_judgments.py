"""Judgments: the same one twice is one, a wrong one is refused with its field, an undone one is as if never made."""

import random
import threading
import uuid
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select, update

from backend.database import make_engine, make_session_factory
from backend.domain.judgments import Aspect, Protocol, Verdict
from backend.errors import Conflict, Invalid, NotFound
from backend.services import comparisons, judgments, projects, ratings
from backend.tables import Comparison, Judgment, ModelRating, Project
from tests.factories import make_judgment, make_study, make_user
from tests.services.test_comparisons import hold

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def cast(session, comparison, user, ranks=(1, 2), id=None, **verdict):
    return judgments.cast(
        session,
        id=id or uuid.uuid4(),
        annotator_id=user.id,
        comparison_id=comparison.id,
        verdict=Verdict(ranks=ranks, **verdict),
    )


def test_the_same_judgment_twice_is_one(session):
    project, user = make_study(session), make_user(session)
    comparison = hold(session, project, user)[0].comparison
    first, created = cast(session, comparison, user, id=(id := uuid.uuid4()))
    again, created_again = cast(session, comparison, user, id=id)
    assert (created, created_again) == (True, False)
    assert again.id == first.id
    assert session.scalar(select(func.count()).select_from(Judgment).where(Judgment.project_id == project.id)) == 1


def test_another_content_under_a_used_id_is_refused(session):
    project, user = make_study(session), make_user(session)
    comparison = hold(session, project, user)[0].comparison
    cast(session, comparison, user, id=(id := uuid.uuid4()))
    with pytest.raises(Conflict):
        cast(session, comparison, user, ranks=(2, 1), id=id)


def test_a_second_judgment_of_a_comparison_is_kept_and_not_counted(session):
    project, user = make_study(session), make_user(session)
    comparison = hold(session, project, user)[0].comparison
    cast(session, comparison, user)
    second, created = cast(session, comparison, user, ranks=(2, 1))
    assert created
    assert second.uncounted_reason == "You had already judged this comparison."
    assert ratings.fold_pending(session) == 1


@pytest.mark.parametrize(
    ("protocol", "verdict", "field"),
    [
        ({}, {"ranks": (1, 2, 3)}, "ranks"),
        ({}, {"ranks": (1, 3)}, "ranks"),
        ({"allow_tie": False}, {"ranks": (1, 1)}, "ranks"),
        ({"allow_none_acceptable": False}, {"ranks": None, "none_acceptable": True}, "none_acceptable"),
        ({"comment": "required"}, {"ranks": (1, 2)}, "comment"),
        ({}, {"ranks": (1, 2), "comment": "not asked for"}, "comment"),
        ({"strength_levels": 3}, {"ranks": (1, 2), "strength": 4}, "strength"),
    ],
)
def test_what_the_protocol_forbids_is_refused_and_the_lease_kept(session, protocol, verdict, field):
    project, user = make_study(session, protocol=Protocol(**protocol)), make_user(session)
    comparison = hold(session, project, user)[0].comparison
    with pytest.raises(Invalid) as refused:
        cast(session, comparison, user, **verdict)
    assert refused.value.field == field
    assert comparison.state == "leased"


def test_undo_gives_the_comparison_back_and_ratings_forget(session):
    project, user = make_study(session, prompts=2), make_user(session)
    kept = make_judgment(session, project, user)
    ratings.fold_pending(session)
    before = {row.model_id: (row.elo, row.judgments) for row in _model_ratings(session, project)}
    undone = make_judgment(session, project, user, ranks=(2, 1))
    ratings.fold_pending(session)
    comparison = judgments.void(session, undone.id, by=user.id, may_void_others=False, at=NOW)
    assert comparison is not None
    assert comparison.id == undone.comparison_id
    assert hold(session, project, user)[0].comparison.id == comparison.id
    ratings.fold_pending(session)
    assert {row.model_id: (row.elo, row.judgments) for row in _model_ratings(session, project)} == before
    again, created = cast(session, comparison, user)
    assert created
    assert again.uncounted_reason is None
    assert kept.voided_at is None


def _model_ratings(session, project):
    session.expire_all()
    return session.scalars(select(ModelRating).where(ModelRating.project_id == project.id)).all()


def test_undo_twice_is_undo_once(session):
    project, user = make_study(session), make_user(session)
    judgment = make_judgment(session, project, user)
    judgments.void(session, judgment.id, by=user.id, may_void_others=False, at=NOW)
    judgments.void(session, judgment.id, by=user.id, may_void_others=False, at=datetime(2031, 1, 1, tzinfo=UTC))
    assert judgment.voided_at == NOW


def test_only_admins_void_what_others_said(session):
    project, user, other = make_study(session), make_user(session), make_user(session)
    judgment = make_judgment(session, project, user)
    with pytest.raises(NotFound):
        judgments.void(session, judgment.id, by=other.id, may_void_others=False, at=NOW)
    assert judgments.void(session, judgment.id, by=other.id, may_void_others=True, at=NOW) is None
    assert session.get_one(Comparison, judgment.comparison_id).state == "released"
    third = make_user(session)
    assert hold(session, project, third, count=5)


def test_none_acceptable_ties_the_rating_and_keeps_its_flag(session):
    project, user = make_study(session, prompts=1), make_user(session)
    judgment = make_judgment(session, project, user, ranks=None)
    ratings.fold_pending(session)
    assert judgment.none_acceptable
    assert [row.elo for row in _model_ratings(session, project)] == [1000.0, 1000.0]


def test_two_sends_at_once_make_one_judgment(database_url):
    engine = make_engine(database_url)
    factory = make_session_factory(engine)
    with factory.begin() as session:
        project, user = make_study(session), make_user(session)
        comparison = hold(session, project, user)[0].comparison
    id = uuid.uuid4()
    created = []

    def send() -> None:
        with factory.begin() as session:
            created.append(cast(session, comparison, user, id=id)[1])

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(created) == [False] * 5 + [True]
    engine.dispose()


def test_what_was_asked_before_the_protocol_changed_may_still_be_answered(session):
    """A page holds comparisons ahead, and may be offline: its answers count by what it was asked."""
    before = Protocol(strength_levels=3, aspects=(Aspect(name="clear"),), comment="optional")
    project = make_study(session, prompts=4, models=2, protocol=before)
    user = make_user(session)
    held = comparisons.hand_out(session, project, user.id, 3, random.Random(1)).items
    session.execute(update(Comparison).values(created_at=NOW.replace(year=2020)))
    session.expire_all()
    projects.change(session, project, {"protocol": Protocol(allow_tie=False, allow_none_acceptable=False)})
    said = [
        Verdict(ranks=(1, 2), strength=3, aspects={"clear": (2, 1)}, comment="So much better."),
        Verdict(ranks=(1, 1)),
        Verdict(ranks=None, none_acceptable=True),
    ]
    for one, verdict in zip(held, said, strict=True):
        judgment, new = judgments.cast(
            session, id=uuid.uuid4(), annotator_id=user.id, comparison_id=one.comparison.id, verdict=verdict
        )
        assert new and judgment.uncounted_reason is None
    session.execute(update(Project).values(protocol_changed_at=NOW.replace(year=2021)))
    session.expire_all()
    fresh = comparisons.hand_out(session, project, user.id, 1, random.Random(1)).items[0]
    with pytest.raises(Invalid, match="does not allow ties"):
        judgments.cast(
            session, id=uuid.uuid4(), annotator_id=user.id, comparison_id=fresh.comparison.id,
            verdict=Verdict(ranks=(1, 1)),
        )  # fmt: skip
    with pytest.raises(Invalid, match="2 completions were shown"):
        judgments.cast(
            session, id=uuid.uuid4(), annotator_id=user.id, comparison_id=held[0].comparison.id,
            verdict=Verdict(ranks=(1, 2, 3)),
        )  # fmt: skip
