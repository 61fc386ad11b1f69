"""Skips: taken back while there is room, kept from others after enough of them, and let go by an admin."""

import threading
import uuid

import pytest
from sqlalchemy import select

from backend.database import make_engine, make_session_factory
from backend.domain.judgments import Verdict
from backend.errors import Conflict, NotFound
from backend.services import comparisons, judgments, projects, skips
from backend.tables import Comparison, Project, Prompt
from tests.factories import make_judgment, make_study, make_user
from tests.services.test_comparisons import RNG, hold


def skip_next(session, project, user, reason=None):
    comparison = hold(session, project, user)[0].comparison
    skips.skip(session, comparison.id, user.id, reason)
    return comparison


def prompt_of(session, project):
    session.expire_all()
    return session.scalars(select(Prompt).where(Prompt.project_id == project.id)).one()


def test_skipping_again_sets_the_reason_only(session):
    project, user = make_study(session, prompts=1), make_user(session)
    comparison = skip_next(session, project, user)
    assert (comparison.skip_reason, prompt_of(session, project).handed_out) == (None, 0)
    at = comparison.skipped_at
    skips.skip(session, comparison.id, user.id, "both are empty")
    skips.skip(session, comparison.id, user.id, None)
    assert (comparison.skip_reason, comparison.skipped_at) == ("both are empty", at)
    assert prompt_of(session, project).handed_out == 0


def test_a_skip_taken_back_is_on_lease_again(session):
    project, user = make_study(session, prompts=1), make_user(session)
    comparison = skip_next(session, project, user, "oops")
    assert hold(session, project, user) == []
    back = skips.unskip(session, comparison.id, user.id)
    assert back is not None and back.id == comparison.id
    assert (comparison.state, comparison.skip_reason, comparison.skipped_at) == ("leased", None, None)
    assert skips.unskip(session, comparison.id, user.id) is back, "twice is once"
    assert prompt_of(session, project).handed_out == 1
    assert [item.comparison.id for item in hold(session, project, user)] == [comparison.id]


def test_a_skip_is_not_taken_back_once_others_judged(session):
    project, user, other = make_study(session, prompts=1), make_user(session), make_user(session)
    comparison = skip_next(session, project, user)
    make_judgment(session, project, other)
    assert skips.unskip(session, comparison.id, user.id) is None
    assert prompt_of(session, project).handed_out == 1
    with pytest.raises(NotFound):
        skips.unskip(session, comparison.id, other.id)


def test_what_was_judged_cannot_be_skipped(session):
    project, user = make_study(session, prompts=1), make_user(session)
    judgment = make_judgment(session, project, user)
    with pytest.raises(Conflict):
        skips.skip(session, judgment.comparison_id, user.id, None)
    assert skips.unskip(session, judgment.comparison_id, user.id) is None


def test_enough_skips_keep_a_set_from_others_until_they_are_settled(session):
    project = make_study(session, prompts=1, models=2, overlap=3, skips_to_retire=2)
    first, second, third, fourth = (make_user(session) for _ in range(4))
    comparison = skip_next(session, project, first, "in a language I cannot read")
    assert prompt_of(session, project).sets_retired == 0
    skip_next(session, project, second)
    assert prompt_of(session, project).sets_retired == 1
    assert hold(session, project, third) == []

    ((one,), cursor) = skips.skipped_sets(session, project, None, 10)
    assert (one.retired, one.set_key, cursor) == (True, comparison.set_key, None)
    assert [(skip.annotator_id, skip.reason) for skip in one.skips] == [
        (first.id, "in a language I cannot read"),
        (second.id, None),
    ]
    skips.settle(session, project, one.set_key)
    assert prompt_of(session, project).sets_retired == 0
    assert skips.skipped_sets(session, project, None, 10) == ([], None)
    assert hold(session, project, first) == [], "who skipped it does not get it back"
    # What follows counts anew: one more skip does not retire it.
    skip_next(session, project, third)
    assert len(hold(session, project, fourth)) == 1
    with pytest.raises(NotFound):
        skips.settle(session, project, uuid.uuid4())


def test_a_skip_taken_back_brings_a_retired_set_back(session):
    project = make_study(session, prompts=1, overlap=3, skips_to_retire=1)
    first, second = make_user(session), make_user(session)
    comparison = skip_next(session, project, first)
    assert hold(session, project, second) == []
    skips.unskip(session, comparison.id, first.id)
    assert len(hold(session, project, second)) == 1


def test_a_skipped_comparison_that_is_judged_after_all_counts(session):
    project = make_study(session, prompts=1, overlap=2, skips_to_retire=1)
    user = make_user(session)
    comparison = skip_next(session, project, user)
    judgment, _ = judgments.cast(
        session, id=uuid.uuid4(), annotator_id=user.id, comparison_id=comparison.id, verdict=Verdict(ranks=(1, 2))
    )
    assert judgment.uncounted_reason is None
    prompt = prompt_of(session, project)
    assert (prompt.handed_out, prompt.sets_retired) == (1, 0)


def test_only_the_retired_set_of_a_prompt_is_kept_back(session):
    project = make_study(session, prompts=1, models=3, overlap=2, skips_to_retire=1)
    first, second = make_user(session), make_user(session)
    skipped = skip_next(session, project, first)
    seen = {item.comparison.set_key for item in hold(session, project, second, count=5)}
    assert len(seen) == 2 and skipped.set_key not in seen


def test_another_policy_counts_anew(session):
    project = make_study(session, prompts=2, overlap=3)
    users = [make_user(session) for _ in range(3)]
    for user in users[:2]:
        skip_next(session, project, user)
    of = select(Prompt.sets_retired).where(Prompt.project_id == project.id).order_by(Prompt.sets_retired)
    assert session.scalars(of).all() == [0, 0]
    projects.change(session, project, {"skips_to_retire": 2})
    assert session.scalars(of).all() == [0, 1]
    projects.change(session, project, {"skips_to_retire": 1})
    assert session.scalars(of).all() == [0, 1]
    projects.change(session, project, {"skips_to_retire": None})
    assert session.scalars(of).all() == [0, 0]


def test_the_list_of_skips_goes_on_where_a_page_ended(session):
    project, user = make_study(session, prompts=5, models=2), make_user(session)
    keys = [skip_next(session, project, user).set_key for _ in range(5)]
    first, cursor = skips.skipped_sets(session, project, None, 2)
    second, cursor = skips.skipped_sets(session, project, cursor, 2)
    third, end = skips.skipped_sets(session, project, cursor, 2)
    assert [one.set_key for one in (*first, *second, *third)] == keys[::-1]
    assert end is None


def test_many_who_skip_at_once_retire_the_set(database_url):
    """Each sees the skips of those before: eight at once make eight, and the set is retired at the eighth."""
    engine = make_engine(database_url, pool_size=8)
    factory = make_session_factory(engine)
    with factory.begin() as session:
        project = make_study(session, prompts=1, models=2, overlap=8, skips_to_retire=8)
        held = [
            (hold(session, project, user)[0].comparison.id, user.id) for user in (make_user(session) for _ in "8" * 8)
        ]

    def one(comparison_id: uuid.UUID, user_id: uuid.UUID) -> None:
        with factory.begin() as session:
            skips.skip(session, comparison_id, user_id, None)

    threads = [threading.Thread(target=one, args=which) for which in held]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    with factory() as session:
        prompt = session.scalars(select(Prompt)).one()
        assert (prompt.handed_out, prompt.sets_retired) == (0, 1)
        assert set(session.scalars(select(Comparison.state))) == {"skipped"}
        project = session.scalars(select(Project)).one()
        assert comparisons.hand_out(session, project, make_user(session).id, 1, RNG).items == []
    engine.dispose()
