"""The process aside: values and errors come back, what it did is committed, and it never outlives its parent."""

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator

import psutil
import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from backend.aside import WAITING, Aside
from backend.database import make_engine
from backend.errors import Conflict, TooMany, Unavailable
from backend.settings import REPOSITORY
from backend.tables import User


def process_id(session: Session) -> int:
    return os.getpid()


def add_user(session: Session, name: str, *, then: str = "return") -> uuid.UUID:
    user = User(name=name, email=f"{name}@example.org", role="annotator")
    session.add(user)
    session.flush()
    if then == "raise":
        raise Conflict("Somebody stands there already", "name")
    return user.id


def raise_too_many(session: Session) -> None:
    raise TooMany("Too often", retry_after_s=7)


def fail(session: Session) -> None:
    session.execute(text("SELECT no_such_column"))


def return_what_cannot_be_sent(session: Session, name: str) -> object:
    add_user(session, name)
    return threading.Lock()


def sleep_in_database(session: Session, seconds: float) -> None:
    session.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": seconds})


@pytest.fixture
def aside(database_url: str) -> Iterator[Aside]:
    beside = Aside(database_url)
    yield beside
    beside.close()


def names(url: str) -> set[str]:
    engine = make_engine(url)
    with Session(engine) as session:
        found = set(session.scalars(select(User.name)))
    engine.dispose()
    return found


def until(condition) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def ended(pid: int) -> bool:
    """Gone, or a corpse that nobody has fetched."""
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_it_is_another_process_and_stays_the_same_one(aside):
    first = aside.run(process_id)
    assert first != os.getpid()
    assert aside.run(process_id) == first


def test_what_it_did_is_committed_when_the_value_comes_back(aside, database_url):
    assert isinstance(aside.run(add_user, "ada"), uuid.UUID)
    assert names(database_url) == {"ada"}


def test_our_errors_come_back_as_they_are_and_nothing_is_committed(aside, database_url):
    with pytest.raises(Conflict) as raised:
        aside.run(add_user, "ada", then="raise")
    assert (raised.value.message, raised.value.field) == ("Somebody stands there already", "name")
    with pytest.raises(TooMany) as too_many:
        aside.run(raise_too_many)
    assert too_many.value.retry_after_s == 7
    assert names(database_url) == set()


def test_other_errors_tell_where_they_happened(aside):
    with pytest.raises(Exception, match="no_such_column") as raised:
        aside.run(fail)
    assert any("in fail" in note for note in raised.value.__notes__)


def test_what_cannot_be_told_has_not_happened(aside, database_url):
    with pytest.raises(Exception, match="lock"):
        aside.run(return_what_cannot_be_sent, "ada")
    assert names(database_url) == set()


def test_one_that_is_killed_breaks_off_what_it_did_and_is_replaced(aside):
    pid = aside.run(process_id)
    threading.Timer(0.2, os.kill, (pid, signal.SIGKILL)).start()
    with pytest.raises(Unavailable, match="broken off"):
        aside.run(sleep_in_database, 60)
    assert aside.run(process_id) != pid


def test_one_that_died_unseen_is_replaced(aside):
    pid = aside.run(process_id)
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # with all its threads, and still to be found dead
    assert aside.run(process_id) != pid


def test_closing_ends_what_it_is_at(aside):
    pid = aside.run(process_id)
    threading.Timer(0.2, aside.close).start()
    with pytest.raises(Unavailable):
        aside.run(sleep_in_database, 60)
    until(lambda: ended(pid))
    with pytest.raises(Unavailable):
        aside.run(process_id)


def test_when_too_many_wait_the_next_hears_so_at_once(aside):
    aside.run(process_id)
    errors: list[Unavailable] = []

    def ask() -> None:
        try:
            aside.run(sleep_in_database, 60)
        except Unavailable as error:
            errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(WAITING + 1)]
    for thread in threads:
        thread.start()
    until(lambda: len(errors) == 1)
    assert "Enough is being computed" in errors[0].message
    aside.close()
    for thread in threads:
        thread.join()
    assert len(errors) == WAITING + 1


PARENT = """
import sys, threading, time
from backend.aside import Aside
from tests.test_aside import process_id, sleep_in_database
aside = Aside(sys.argv[1])
print(aside.run(process_id), flush=True)
if sys.argv[2] == "busy":
    threading.Thread(target=aside.run, args=(sleep_in_database, 60), daemon=True).start()
time.sleep(60)
"""


@pytest.mark.parametrize("at_work", ["idle", "busy"])
def test_it_does_not_outlive_a_parent_that_was_killed(database_url, at_work):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, database_url, at_work],
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )
    with parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert psutil.Process(child).ppid() == parent.pid
        time.sleep(0.2)
        parent.kill()
    until(lambda: ended(child))
