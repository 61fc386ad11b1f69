"""The dispatcher: rings, requeues, and lets neither a dead broker, a dead database nor a failing duty stop it."""

import logging
import signal
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url, select, text
from sqlalchemy.orm import Session

from backend.aside import Aside
from backend.embedded import Cluster
from backend.embedded.valkey import valkey
from backend.settings import Settings
from backend.tables import AnnotatorFit, Prompt, Run
from tests.services.test_annotator_fits import careful, guessing, judged_by
from tests.services.training_project import begin
from tests.workers.stand_in import Installation, database_away, installation, process
from workers.celery_app import Bell, broker_url
from workers.dispatcher import Dispatcher, Duty
from workers.fitting import Fitting


@pytest.fixture
def place(tmp_path: Path, database_url: str) -> Iterator[Installation]:
    with installation(tmp_path, database_url) as made:
        yield made


class Rings(list[uuid.UUID]):
    """Notes who was rung for; deaf on demand."""

    deaf = False

    def __call__(self, run_id: uuid.UUID) -> bool:
        self.append(run_id)
        return not self.deaf


def test_a_queued_run_is_rung_once_and_a_lost_one_comes_back(place: Installation) -> None:
    rings = Rings()
    dispatcher = Dispatcher(place.settings, place.sessions, rings)
    run = place.launch()
    assert dispatcher.round() and dispatcher.round()
    assert rings == [run.id]
    place.do(lambda session: begin(session, run))
    place.do(lambda session: session.execute(text("UPDATE runs SET heartbeat_at = now() - interval '1 minute'")))
    assert dispatcher.round()
    assert place.find(run).state == "queued"
    dispatcher.round()
    assert rings == [run.id, run.id]


def test_a_bell_that_does_not_reach_anybody_stops_the_round_of_ringing(place: Installation) -> None:
    rings = Rings()
    rings.deaf = True
    for _ in range(3):
        place.launch()
    assert Dispatcher(place.settings, place.sessions, rings).round()
    assert len(rings) == 1


def test_a_failing_duty_is_left_alone_and_the_others_go_on(
    place: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[str] = []

    def fails(session: Session) -> None:
        done.append("tried")
        raise ValueError("cannot fold this")

    dispatcher = Dispatcher(place.settings, place.sessions, Rings())
    dispatcher.duties = [Duty("fail", fails), Duty("work", lambda session: done.append("worked"))]
    with caplog.at_level(logging.ERROR):
        assert dispatcher.round() and dispatcher.round()
    assert done == ["tried", "worked", "worked"]
    assert "cannot fold this" in caplog.text


def test_a_database_that_was_away_gives_workers_time_to_beat(
    place: Installation, cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    dispatcher = Dispatcher(place.settings, place.sessions, Rings())
    run = place.launch()
    place.do(lambda session: begin(session, run))
    with database_away(cluster, make_url(str(place.settings.database_url)).database or ""):
        with caplog.at_level(logging.WARNING):
            for _ in range(3):
                assert not dispatcher.round()
        time.sleep(place.settings.run_lost_after_s + 0.2)
    assert caplog.text.count("does not answer") == 1
    assert dispatcher.round() and place.find(run).state == "running"
    time.sleep(place.settings.run_lost_after_s + 0.2)
    assert dispatcher.round() and place.find(run).state == "queued"


def test_a_dead_broker_is_said_once_and_hurts_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings(data_dir=tmp_path)
    with valkey(settings) as (url, _):
        pass  # its socket's name stays known, but nobody is there
    bell = Bell(Settings(data_dir=tmp_path, redis_url=url), pause_s=0.0)
    with caplog.at_level(logging.INFO):
        assert not bell.ring(uuid.uuid4())  # imports the transport
        started = time.monotonic()
        assert [bell.ring(uuid.uuid4()) for _ in range(3)] == [False] * 3
        assert time.monotonic() - started < 30, "it waits for nobody"
        assert caplog.text.count("does not answer") == 1
        with valkey(settings):
            assert bell.ring(uuid.uuid4())
            assert caplog.text.count("answers again") == 1
    assert not bell.ring(uuid.uuid4())
    bell.close()


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("redis://:pw@host:6379/1", "redis://:pw@host:6379/1"),
        ("valkey://host:6379/0", "redis://host:6379/0"),
        ("rediss://host/0", "rediss://host/0"),
        ("unix:///run/valkey.sock?db=2", "redis+socket:///run/valkey.sock?virtual_host=2"),
        ("redis+socket:///a%20b/v.sock?virtual_host=0", "redis+socket:///a%20b/v.sock?virtual_host=0"),
        ("unix://:pw@/run/v.sock", "redis+socket://:pw@/run/v.sock?virtual_host=0"),
    ],
)
def test_spellings_of_a_broker(url: str, wanted: str) -> None:
    assert broker_url(url) == wanted


def test_the_process_goes_on_and_ends_when_told_though_its_broker_is_dead(place: Installation, tmp_path: Path) -> None:
    settings = place.settings.model_copy(update={"redis_url": f"unix://{tmp_path}/nobody.sock"})
    run: Run = place.launch()
    place.do(lambda session: begin(session, run))
    place.do(lambda session: session.execute(text("UPDATE runs SET heartbeat_at = now() - interval '1 minute'")))
    with process(settings, "workers.dispatcher") as dispatcher:
        place.wait(run, lambda run: run.state == "queued", 30)
        dispatcher.send_signal(signal.SIGTERM)
        assert dispatcher.wait(30) == 0


def test_annotators_are_fitted_aside_when_it_is_due(place: Installation) -> None:
    """The round goes on meanwhile; there is one version, and no second while nothing came."""
    with place.sessions.begin() as session:
        project, _ = judged_by(session, [careful, careful, guessing], prompts=12)
        project_id = project.id
    aside = Aside(place.settings.database_url or "")
    fitting = Fitting(aside)
    dispatcher = Dispatcher(place.settings, place.sessions, Rings(), fitting)
    for _ in range(2):
        assert dispatcher.round()
        fitting.wait()
    aside.close()
    made = place.do(lambda session: session.scalars(select(AnnotatorFit)).all())
    assert [(fit.project_id, fit.number, fit.judgments) for fit in made] == [(project_id, 1, 108)]
    mine = select(Prompt.missing).where(Prompt.project_id == project_id)
    short = place.do(lambda session: session.scalars(mine).all())
    assert len(short) == 12 and all(short), "the queue knows, though nobody has judged since"
