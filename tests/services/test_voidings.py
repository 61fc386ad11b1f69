"""Judgments set aside together: ratings forget them, others are asked in their place, and all can be undone exactly."""

import threading
import uuid
from datetime import UTC, datetime

import pytest
from sqlalchemy import event, func, select

from backend.database import make_engine, make_session_factory
from backend.domain.judgments import Protocol, Verdict
from backend.errors import Conflict, NotFound
from backend.services import judgments, ratings, skips, voidings
from backend.tables import Comparison, Demonstration, Judgment, Project, Prompt, Voiding
from tests.factories import judge_next, make_judgment, make_study, make_user
from tests.services.test_comparisons import hold
from tests.services.test_judgments import cast
from tests.services.test_ratings import everything

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def void(session, project, annotator, admin) -> Voiding:
    return voidings.void_annotator(session, project, annotator.id, reason="Too fast.", by=admin.id, at=NOW)


def facts(session, project):
    """All that voiding may touch, but the rating's numbers."""
    session.expire_all()
    said = session.scalars(select(Judgment).where(Judgment.project_id == project.id).order_by(Judgment.sequence))
    asked = session.scalars(select(Comparison).where(Comparison.project_id == project.id).order_by(Comparison.id))
    prompts = session.scalars(select(Prompt).where(Prompt.project_id == project.id).order_by(Prompt.id))
    return (
        [(one.id, one.position, one.voided_at, one.voided_by, one.uncounted_reason) for one in said],
        [(one.id, one.state) for one in asked],
        [(one.id, one.handed_out) for one in prompts],
    )


@pytest.fixture
def study(session):
    """Three people who judged all there is, one of whom took a judgment back; one judgment waits to be folded."""
    project = make_study(session, prompts=4, models=3, overlap=3)
    ann, bob, cat = (make_user(session) for _ in range(3))
    verdicts = [(1, 2), (2, 1), (1, 1), None]
    for n in range(20):
        judged = make_judgment(session, project, (ann, bob)[n % 2], ranks=verdicts[n % 4])
        if n == 10:
            judgments.void(session, judged.id, by=ann.id, may_void_others=False, at=NOW)
            # Judged again: the first one stays undone whatever happens to the second.
            make_judgment(session, project, ann, ranks=(2, 1))
        if n == 12:
            first = session.get_one(Comparison, judged.comparison_id)
            cast(session, first, ann, ranks=(2, 1))  # a second one, which does not count
    while judge_next(session, project, cat, ranks=(2, 1)):
        pass
    ratings.fold_pending(session)
    judge_next(session, project, ann)
    return project, ann, bob, make_user(session, role="admin")


def test_ratings_are_as_if_the_person_had_never_judged_and_then_as_before(session, study):
    project, ann, bob, admin = study
    ratings.fold_pending(session)
    before, numbers = facts(session, project), everything(session, project)
    voiding = void(session, project, ann, admin)
    assert voiding.judgments == 12
    assert not ratings.is_up_to_date(session, project.id)
    ratings.fold_pending(session)
    left = [one.annotator_id for one in ratings.rankings_of(session, project.id)]
    assert ann.id not in left and bob.id in left
    assert everything(session, project) != numbers
    voidings.restore(session, voiding, by=admin.id, at=NOW)
    ratings.fold_pending(session)
    assert facts(session, project) == before
    assert everything(session, project) == numbers
    assert (voiding.undone_at, voiding.undone_by) == (NOW, admin.id)


def test_what_waited_for_the_ratings_keeps_its_place_in_their_order(session, study):
    """Set aside before it was ever folded, while others go on: after all it comes where it would have come."""
    project, ann, bob, admin = study
    voiding = void(session, project, ann, admin)
    ratings.fold_pending(session)
    make_judgment(session, project, bob)
    ratings.fold_pending(session)
    voidings.restore(session, voiding, by=admin.id, at=NOW)
    ratings.fold_pending(session)
    order = session.scalars(
        select(Judgment.position)
        .where(Judgment.project_id == project.id, Judgment.position > 0)
        .order_by(Judgment.sequence)
    ).all()
    assert list(order) == sorted(order)


def test_places_go_to_others(session):
    project, ann, bob, admin = (
        make_study(session, prompts=3),
        make_user(session),
        make_user(session),
        make_user(session),
    )
    for _ in range(3):
        make_judgment(session, project, ann)
    assert hold(session, project, bob) == []
    voiding = void(session, project, ann, admin)
    session.expire_all()
    states = session.scalars(select(Comparison.state).where(Comparison.project_id == project.id)).all()
    assert states == ["released"] * 3
    assert len(hold(session, project, bob, count=5)) == 3
    make_judgment(session, project, bob)
    # Restored, the overlap is exceeded where others judged meanwhile: nothing that a person said is thrown away.
    voidings.restore(session, voiding, by=admin.id, at=NOW)
    session.expire_all()
    assert session.scalar(select(func.sum(Prompt.handed_out)).where(Prompt.project_id == project.id)) == 6
    ratings.fold_pending(session)
    assert len(list(ratings.rankings_of(session, project.id))) == 4


def test_judged_anew_meanwhile_is_not_counted_twice(session):
    """A page that was offline sends its judgment after an admin set the comparison's first one aside."""
    project, ann, admin = make_study(session, prompts=1), make_user(session), make_user(session)
    first = make_judgment(session, project, ann)
    voiding = void(session, project, ann, admin)
    second, _ = cast(session, session.get_one(Comparison, first.comparison_id), ann, ranks=(2, 1))
    assert second.uncounted_reason is None
    voidings.restore(session, voiding, by=admin.id, at=NOW)
    ratings.fold_pending(session)
    assert len(list(ratings.rankings_of(session, project.id))) == 1
    session.expire_all()
    assert (first.voided_at, second.voided_at) == (NOW, None)
    assert session.scalar(select(Prompt.handed_out).where(Prompt.project_id == project.id)) == 1


def test_ideal_answers_go_and_come_back(session):
    project = make_study(session, prompts=1, overlap=3, protocol=Protocol(ideal_answer="optional"))
    ann, bob, admin = (make_user(session) for _ in range(3))
    for person, text in ((ann, "What she wrote."), (bob, "What both wrote.")):
        comparison = hold(session, project, person)[0].comparison
        judgments.cast(
            session,
            id=uuid.uuid4(),
            annotator_id=person.id,
            comparison_id=comparison.id,
            verdict=Verdict(ranks=(1, 2)),
            ideal_answer=text,
        )

    def kept() -> list[str]:
        query = select(Demonstration.text).where(Demonstration.project_id == project.id).order_by(Demonstration.text)
        return list(session.scalars(query))

    assert kept() == ["What both wrote.", "What she wrote."]
    voiding = void(session, project, ann, admin)
    assert kept() == ["What both wrote."]
    voidings.restore(session, voiding, by=admin.id, at=NOW)
    assert kept() == ["What both wrote.", "What she wrote."]


def test_one_that_was_skipped_meanwhile_is_judged_again(session):
    """Set aside, its comparison is skipped by a page that still shows it; restored, it is no skip any more."""
    project, ann, admin = make_study(session, prompts=1), make_user(session), make_user(session)
    project.skips_to_retire = 1
    comparison = session.get_one(Comparison, make_judgment(session, project, ann).comparison_id)
    voiding = void(session, project, ann, admin)
    skips.skip(session, comparison.id, ann.id, "Broken.")
    session.expire_all()
    prompt = session.get_one(Prompt, comparison.prompt_id)
    assert (prompt.handed_out, prompt.sets_retired) == (0, 1)
    voidings.restore(session, voiding, by=admin.id, at=NOW)
    session.expire_all()
    assert (comparison.state, prompt.handed_out, prompt.sets_retired) == ("judged", 1, 0)


def test_nothing_to_void_and_nobody(session, study):
    project, ann, _, admin = study
    with pytest.raises(Conflict):
        void(session, project, make_user(session), admin)
    with pytest.raises(NotFound):
        voidings.void_annotator(session, project, uuid.uuid4(), reason="?", by=admin.id, at=NOW)
    void(session, project, ann, admin)
    with pytest.raises(Conflict):
        void(session, project, ann, admin)


def test_restored_twice_is_restored_once(session, study):
    project, ann, _, admin = study
    before = facts(session, project)[1:]
    voiding = void(session, project, ann, admin)
    for _ in range(2):
        voidings.restore(session, voiding, by=admin.id, at=NOW)
    assert facts(session, project)[1:] == before


def test_many_judgments_in_few_statements(session):
    project, ann, admin = make_study(session, prompts=40, models=3), make_user(session), make_user(session)
    while judge_next(session, project, ann):
        pass
    sent: list[str] = []
    connection = session.connection()
    event.listen(connection, "before_cursor_execute", lambda *args: sent.append(args[2]))
    voiding = void(session, project, ann, admin)
    assert voiding.judgments == 120
    voidings.restore(session, voiding, by=admin.id, at=NOW)
    assert len(sent) < 40


def test_folding_undoing_and_voiding_at_once_do_not_wait_for_each_other(database_url):
    engine = make_engine(database_url, limits={"lock_timeout": "10s"})
    factory = make_session_factory(engine)
    with factory.begin() as session:
        project = make_study(session, prompts=20, models=3, overlap=2)
        ann, bob, admin = (make_user(session) for _ in range(3))
        mine = [make_judgment(session, project, ann).id for _ in range(60)]
    failed: list[Exception] = []

    def attempt(work):
        try:
            with factory.begin() as session:
                work(session)
        except Exception as error:
            failed.append(error)

    def undo():
        for id in mine[::-1]:
            attempt(lambda s, id=id: judgments.void(s, id, by=ann.id, may_void_others=False, at=NOW))

    def fold():
        for _ in range(20):
            attempt(ratings.fold_pending)

    def judge():
        for _ in range(20):
            attempt(lambda s: judge_next(s, s.get_one(Project, project.id), bob))

    def set_aside():
        made: list[Voiding] = []
        for _ in range(5):
            attempt(lambda s: made.append(void(s, s.get_one(Project, project.id), ann, admin)))
            while made:
                attempt(lambda s: voidings.restore(s, made.pop(), by=admin.id, at=NOW))

    threads = [threading.Thread(target=work) for work in (undo, fold, judge, set_aside)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert [error for error in failed if not isinstance(error, Conflict)] == []
    with factory() as session:
        held = dict(
            session.execute(
                select(Comparison.prompt_id, func.count())
                .where(Comparison.kind == "regular", Comparison.state.in_(("leased", "judged")))
                .group_by(Comparison.prompt_id)
            ).all()
        )
        for prompt in session.scalars(select(Prompt)):
            assert prompt.handed_out == held.get(prompt.id, 0)
    engine.dispose()
