"""A judgment taken back while ratings are folded: either it is in them and they are rebuilt, or it never gets in."""

import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from backend.database import SessionFactory, make_engine, make_session_factory
from backend.services import judgments, ratings
from backend.tables import Comparison, CompletionRating, Judgment, Prompt, User
from tests.factories import make_judgment, make_study, make_user


@pytest.fixture
def factory(database_url: str) -> Iterator[SessionFactory]:
    engine = make_engine(database_url)
    yield make_session_factory(engine)
    engine.dispose()


@pytest.fixture
def judged(factory: SessionFactory) -> tuple[uuid.UUID, uuid.UUID, uuid.UUID]:
    """A project with one judgment that waits to be folded, the judgment, and who made it."""
    with factory.begin() as session:
        project, user = make_study(session, prompts=1), make_user(session)
        judgment = make_judgment(session, project, user)
        assert judgment is not None
        return project.id, judgment.id, user.id


def void(factory: SessionFactory, judgment: uuid.UUID, by: uuid.UUID) -> None:
    with factory.begin() as session:
        judgments.void(session, judgment, by=by, may_void_others=False, at=datetime.now(UTC))


def fold(factory: SessionFactory, project: uuid.UUID) -> None:
    with factory.begin() as session:
        ratings.fold(session, project)


def ratings_now(factory: SessionFactory) -> list[float]:
    with factory() as session:
        return sorted(session.scalars(select(CompletionRating.elo)))


def test_taken_back_while_it_is_folded(factory: SessionFactory, judged):
    project, judgment, user = judged
    with factory.begin() as session:
        assert ratings.fold(session, project) == 1
        other = threading.Thread(target=void, args=(factory, judgment, user))
        other.start()
        other.join(0.3)
        assert other.is_alive(), "it waits until the fold is committed"
    other.join(10)
    with factory() as session:
        assert not ratings.is_up_to_date(session, project), "and then knows that the ratings hold it"
    fold(factory, project)
    assert ratings_now(factory) == []


def test_folded_while_it_is_taken_back(factory: SessionFactory, judged):
    project, judgment, user = judged
    with factory.begin() as session:
        judgments.void(session, judgment, by=user, may_void_others=False, at=datetime.now(UTC))
        other = threading.Thread(target=fold, args=(factory, project))
        other.start()
        other.join(0.3)
        assert other.is_alive()
    other.join(10)
    with factory() as session:
        assert session.get_one(Judgment, judgment).position is None
        assert ratings.is_up_to_date(session, project)
    assert ratings_now(factory) == []


def test_taken_back_twice_at_once_frees_one_place(factory: SessionFactory, judged):
    """The second one must not act on what it read before it waited."""
    _, judgment, user = judged
    with factory.begin() as session:
        judgments.void(session, judgment, by=user, may_void_others=False, at=datetime.now(UTC))
        with factory.begin() as another:
            admin = make_user(another, role="admin").id
        done = threading.Event()

        def again() -> None:
            with factory.begin() as second:
                assert second.get(User, admin)
                judgments.void(second, judgment, by=admin, may_void_others=True, at=datetime.now(UTC))
            done.set()

        other = threading.Thread(target=again)
        other.start()
        assert not done.wait(0.3)
    assert done.wait(10)
    with factory() as session:
        kept = session.get_one(Judgment, judgment)
        assert kept.voided_by == user
        assert session.get_one(Comparison, kept.comparison_id).state == "leased"
        assert session.get_one(Prompt, kept.prompt_id).handed_out == 1
