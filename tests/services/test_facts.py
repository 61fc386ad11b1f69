"""Judgments in columns: the same as read row by row, for every question; and ids that are numbers until looked at."""

import random
import uuid
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import BigInteger, cast, func, select, text
from sqlalchemy.exc import OperationalError

from backend.database import make_engine, make_session_factory
from backend.domain import elo
from backend.domain.judgments import Protocol, outcomes, rating_ranks
from backend.domain.rewards import Question
from backend.services import bulk, copying, facts, ratings, rewards
from backend.services.bulk import Ids
from backend.tables import Comparison, Completion, Judgment, Project, RewardOutcome
from tests.factories import (
    make_completions,
    make_judgment,
    make_model,
    make_project,
    make_prompt,
    make_study,
    make_user,
)
from tests.services.test_judgments import NOW


@pytest.fixture
def study(session):
    """Comparisons of 2 to 4 with ties, none acceptable, some set aside, folded in an order of their own."""
    rng = random.Random(7)
    project = make_study(session, prompts=5, models=4)
    people = [make_user(session) for _ in range(4)]
    answers = session.scalars(select(Completion).where(Completion.project_id == project.id)).all()
    by_prompt = {
        prompt: [one for one in answers if one.prompt_id == prompt] for prompt in {a.prompt_id for a in answers}
    }
    positions = rng.sample(range(1, 200), 120)
    for position in positions:
        shown = rng.sample(by_prompt[rng.choice(sorted(by_prompt))], rng.choice((2, 2, 2, 3, 4)))
        person = rng.choice(people)
        comparison = Comparison(
            project_id=project.id,
            prompt_id=shown[0].prompt_id,
            annotator_id=person.id,
            completions=[one.id for one in shown],
            set_key=uuid.uuid4(),
            policy="random",
            guidelines_version=1,
            state="judged",
        )
        session.add(comparison)
        session.flush()
        ranks = None if rng.random() < 0.1 else [rng.randint(1, len(shown)) for _ in shown]
        session.add(
            Judgment(
                id=uuid.uuid4(),
                project_id=project.id,
                prompt_id=comparison.prompt_id,
                comparison_id=comparison.id,
                annotator_id=person.id,
                ranks=ranks,
                none_acceptable=ranks is None,
                guidelines_version=rng.choice((1, 2)),
                position=rng.choice((position, position, position, position, 0, None)),
                voided_at=NOW if rng.random() < 0.1 else None,
                gold_right=rng.random() < 0.5 if rng.random() < 0.3 else None,
                created_at=NOW + timedelta(minutes=position),
            )
        )
    project.judgments_folded = 200
    session.flush()
    return project, people


def plainly(session, project, question=None, prompt_id=None):
    """(judgment, annotator, completions, ranks, position) in the order of the fold, a row at a time."""
    question = question or Question()
    rows = session.execute(
        select(Judgment, Comparison.completions)
        .join(Comparison, Comparison.id == Judgment.comparison_id)
        .where(Judgment.project_id == project.id)
        .order_by(Judgment.position)
    ).all()
    gold: dict[uuid.UUID, list[bool]] = {}
    for judgment, _ in rows:
        if judgment.gold_right is not None and judgment.voided_at is None:
            gold.setdefault(judgment.annotator_id, []).append(judgment.gold_right)
    found = []
    for one, completions in rows:
        share = sum(gold.get(one.annotator_id, [])) / max(1, len(gold.get(one.annotator_id, [])))
        if (
            one.position
            and one.stands
            and prompt_id in (None, one.prompt_id)
            and one.annotator_id not in question.without_annotators
            and (question.before is None or one.created_at < question.before)
            and (not question.guidelines_versions or one.guidelines_version in question.guidelines_versions)
            and (question.min_gold_share is None or (one.annotator_id in gold and share >= question.min_gold_share))
        ):
            ranks = rating_ranks(one.ranks, len(completions))
            found.append((one.id, one.annotator_id, tuple(completions), ranks, one.position))
    return found


def opened(known):
    """The columns as rows again."""
    rows = [
        (
            part.ids[i],
            known.annotators[part.annotator[i]],
            tuple(known.completions.at(part.shown[i])),
            tuple(part.ranks[i].tolist()),
            int(part.order[i]),
        )
        for part in known.said
        for i in range(len(part.ids))
    ]
    return sorted(rows, key=lambda row: row[-1])


def test_what_is_added_and_folded_while_it_reads_comes_too_late(database_url, monkeypatch):
    engine = make_engine(database_url)
    factory = make_session_factory(engine)
    with factory.begin() as session:
        project, user = make_study(session, prompts=1), make_user(session)
        make_judgment(session, project, user)
        ratings.fold(session, project.id)
    read = bulk.read

    def then_somebody_adds(session, statement, names):
        found = read(session, statement, names)
        monkeypatch.setattr(bulk, "read", read)
        with factory.begin() as other:
            here = other.get_one(Project, project.id)
            make_completions(other, make_prompt(other, here), [make_model(other), make_model(other)])
            make_judgment(other, here, make_user(other))
            assert ratings.fold(other, project.id) == 1
        return found

    monkeypatch.setattr(bulk, "read", then_somebody_adds)
    with factory() as session:
        assert facts.load(session, project).judgments == 1
        assert facts.load(session, project).judgments == 2
    engine.dispose()


def test_columns_hold_what_rows_hold_for_every_question(session, study):
    project, people = study
    questions = [
        Question(),
        Question(without_annotators=frozenset({people[0].id, people[2].id})),
        Question(before=NOW + timedelta(minutes=90)),
        Question(guidelines_versions=frozenset({2})),
        Question(min_gold_share=0.5),
    ]
    numbers = set()
    for question in questions:
        known = facts.load(session, project, question)
        expected = plainly(session, project, question)
        assert opened(known) == expected
        assert list(known.annotators) == list(dict.fromkeys(row[1] for row in expected))
        numbers.add(known.judgments)
    assert len(numbers) > 3, "the questions choose different judgments"
    prompt_id = known.prompts[0]
    one = facts.load(session, project, prompt_id=prompt_id)
    assert opened(one) == plainly(session, project, prompt_id=prompt_id) != []
    assert (list(one.prompts), len(one.completions)) == ([prompt_id], 4)


def test_completions_know_their_prompt_and_model(session, study):
    known = facts.load(session, study[0])
    rows = session.execute(
        select(Completion.id, Completion.prompt_id, Completion.model_id)
        .where(Completion.project_id == study[0].id)
        .order_by(Completion.prompt_id, Completion.id)
    ).all()
    assert list(known.completions) == [row.id for row in rows]
    assert list(known.prompts.at(known.group_of)) == [row.prompt_id for row in rows]
    assert list(known.models.at(known.model_of)) == [row.model_id for row in rows]
    assert list(known.models) == list(dict.fromkeys(row.model_id for row in rows))


def test_elo_is_that_of_the_fold_to_the_last_digit(session, study):
    known = facts.load(session, study[0])
    expected: dict[uuid.UUID, float] = {}
    for _, _, shown, ranks, _ in plainly(session, study[0]):
        elo.fold_judgment(expected, shown, ranks, elo.K_COMPLETION)
    rated = facts.rate(known, "elo").rating.tolist()
    assert rated == [expected.get(id, elo.START) for id in known.completions]


def test_an_empty_project_has_no_facts(session):
    known = facts.load(session, make_project(session))
    assert (known.judgments, len(known.completions), len(known.annotators), known.said) == (0, 0, 0, [])


def test_many_rows_arrive_in_pieces(session, study, monkeypatch):
    whole = facts.load(session, study[0])
    monkeypatch.setattr(bulk, "_BYTES_AT_ONCE", 1_000)
    pieces = facts.load(session, study[0])
    assert opened(pieces) == opened(whole)
    np.testing.assert_array_equal(pieces.group_of, whole.group_of)


def test_what_is_null_is_refused(session, study):
    statement = select(Judgment.position).where(Judgment.project_id == study[0].id)
    with pytest.raises(TypeError, match="place is null"):
        bulk.read(session, statement, ["place"])


def test_who_fails_in_the_midst_of_reading_can_go_on(database_url, monkeypatch):
    monkeypatch.setattr(bulk, "_BYTES_AT_ONCE", 1_000)
    statement = select(cast(func.generate_series(1, 100_000), BigInteger))
    engine = make_engine(database_url)
    with make_session_factory(engine)() as session:
        with pytest.raises(KeyError):
            bulk.read(session, statement, ["place"], lambda piece: {"gone": piece["gone"]})
        session.rollback()
        assert bulk.read(session, statement, ["place"])["place"][-1] == 100_000
    engine.dispose()


def test_what_the_database_refuses_reads_like_any_other_error_of_it(database_url):
    """Also where rows are copied past SQLAlchemy: who tries again, or says 503, must know it."""
    engine = make_engine(database_url, limits={"lock_timeout": "50ms"})
    factory = make_session_factory(engine)
    row = {"name": "imported/x", "source": "{}"}
    refused = (
        lambda session: copying.copy(session, "models", [row]),
        lambda session: bulk.read(session, select(cast(func.count(), BigInteger)).select_from(Judgment), ["n"]),
    )
    with factory() as holding:
        holding.execute(text("LOCK TABLE models, judgments IN ACCESS EXCLUSIVE MODE"))
        for call in refused:
            with factory() as session, pytest.raises(OperationalError, match="lock timeout"):
                call(session)
    engine.dispose()


def halves(ids):
    return np.array([divmod(id.int, 2**64) for id in ids], np.uint64).reshape(-1, 2)


@given(st.lists(st.uuids(), min_size=1, unique=True), st.data())
def test_ids_are_found_and_numbered(ids, data):
    some = data.draw(st.lists(st.sampled_from(ids)))
    assert list(Ids(halves(ids))) == ids
    assert Ids(halves(ids)).find(halves(some)).tolist() == [ids.index(id) for id in some]
    found, number = Ids.numbered(halves(some))
    assert list(found) == list(dict.fromkeys(some))
    assert [found[n] for n in number] == some


def test_ids_that_mix_to_the_same_number_are_told_apart():
    """x ^ y * odd is the same for these two, for the first way of mixing."""
    odd = bulk._ODD[0]
    ids = [uuid.UUID(int=(7 ^ odd) << 64), uuid.UUID(int=(7 << 64) | 1)]
    assert Ids(halves(ids)).find(halves(ids[::-1])).tolist() == [1, 0]
    assert Ids.numbered(halves(ids))[1].tolist() == [0, 1]
    with pytest.raises(KeyError):
        Ids(halves(ids[:1])).find(halves(ids))


@pytest.mark.parametrize("top", [None, 2])
def test_a_reward_set_keeps_the_pairs_of_these_judgments_in_their_order(session, study, top):
    """What a protocol did not ask to be ordered is no pair; "none is acceptable" is a tie of all."""
    project, people = study
    project.protocol = Protocol(size=4, top=top, allow_tie=True).model_dump(mode="json")
    question = Question(without_annotators=frozenset({people[0].id}))
    reward_set = rewards.freeze(session, project, question=question)
    expected = []
    for judgment, _, shown, ranks, _ in plainly(session, project, question):
        unordered = max(ranks) if top and ranks.count(max(ranks)) > 1 else 0
        for a, b, score in outcomes(ranks):
            if not ranks[a] == ranks[b] == unordered:
                expected.append((judgment, shown[a], shown[b], score, 1.0))
    rows = session.scalars(select(RewardOutcome).filter_by(reward_set_id=reward_set.id).order_by(RewardOutcome.id))
    assert [(row.judgment_id, row.a, row.b, row.score, row.weight) for row in rows] == expected
    assert expected
