"""What one judgment costs the database: few statements, and as many in a large study as in a small one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import event, select, update

from backend.tables import Prompt
from tests.api.conftest import Doors
from tests.api.test_isolation import V1, judge
from tests.factories import make_study


@contextmanager
def statements(app: FastAPI) -> Iterator[dict[str, Any]]:
    """The statements sent meanwhile, which all differ, and their parameters."""
    engine = app.state.session_factory.kw["bind"]
    sent: dict[str, Any] = {}

    def note(connection, cursor, statement, parameters, context, executemany) -> None:
        assert statement not in sent, "sent twice"
        sent[statement] = parameters

    event.listen(engine, "before_cursor_execute", note)
    yield sent
    event.remove(engine, "before_cursor_execute", note)


@pytest.fixture
def study(app: FastAPI) -> str:
    """The slug of a project with work to do."""
    with app.state.session_factory.begin() as session:
        return make_study(session, prompts=30, models=2, overlap=2).slug


def ask(client: TestClient, study: str, count: int = 1) -> list[dict[str, Any]]:
    answer = client.post(f"{V1}/projects/{study}/comparisons/next", params={"count": count})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def test_a_judgment_takes_few_statements(app: FastAPI, annotator: TestClient, study: str):
    judge(annotator, ask(annotator, study)[0])  # notes once a minute that the person was here
    with statements(app) as sent:
        (item,) = ask(annotator, study)
    # Who asks, the project, where they stand, what they hold, which sides they saw, a place, its completions, what was
    # asked of them, the comparison, its texts.
    assert len(sent) <= 10, sent
    with statements(app) as sent:
        assert judge(annotator, item).status_code == 201
    # Who asks, the comparison, the judgment, that it is judged.
    assert len(sent) <= 4, sent


def test_a_page_that_fetches_ahead_takes_no_more(app: FastAPI, annotator: TestClient, study: str):
    held = ask(annotator, study, count=5)
    judge(annotator, held[0])
    with statements(app) as sent:
        again = ask(annotator, study, count=5)
    assert [one["id"] for one in again[:4]] == [one["id"] for one in held[1:]]
    assert len(sent) <= 10, sent
    with statements(app) as sent:
        ask(annotator, study, count=5)
    assert len(sent) <= 5, "nothing new is needed"


def test_retired_prompts_are_passed_over_without_a_look(app: FastAPI, doors: Doors, study: str):
    """However many prompts are retired, the next one takes the same statements and reads no more of comparisons."""
    client = doors.enter(doors.person())
    ask(client, study)
    with app.state.session_factory.begin() as session:
        before = session.scalars(select(Prompt.id).where(Prompt.handed_out == 0).order_by(Prompt.id)).all()
        session.execute(update(Prompt).where(Prompt.id.in_(before[:25])).values(sets_retired=1))
    with statements(app) as sent:
        assert len(ask(client, study, count=2)) == 2
    assert len(sent) <= 10
    (taken,) = [one for one in sent if "SKIP LOCKED" in one]
    with app.state.session_factory() as session:
        explained = session.connection().exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {taken}", sent[taken])
        plan = explained.scalar_one()[0]["Plan"]
    # Of one prompt alone it is asked what was judged of it.
    looks = [node["Actual Loops"] for node in nodes(plan) if node.get("Relation Name") == "comparisons"]
    assert looks == [1]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The parts of a plan of PostgreSQL."""
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)
