"""What comes with a judgment besides the verdict: ideal answers, marked parts, the guidelines that were read."""

import uuid
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from backend.domain.judgments import Protocol, Verdict
from backend.domain.masks import HIDDEN
from backend.domain.spans import Span
from backend.errors import Invalid
from backend.services import corpus, ideal_answers, judgments, projects
from backend.tables import Completion, Demonstration
from tests.factories import make_study, make_user
from tests.services.test_comparisons import hold

ASKED = Protocol(ideal_answer="optional", spans=True)
MARKED_WRONG = Span(completion=1, start=0, end=1, quote="x")
NOW = datetime(2030, 1, 1, tzinfo=UTC)


def cast(session, project, user, comparison=None, **more):
    comparison = comparison or hold(session, project, user)[0].comparison
    return judgments.cast(
        session,
        id=uuid.uuid4(),
        annotator_id=user.id,
        comparison_id=comparison.id,
        verdict=Verdict(ranks=(1, 2)),
        **more,
    )[0]


def demonstrations(session, project):
    session.expire_all()
    rows = session.scalars(select(Demonstration).where(Demonstration.project_id == project.id))
    return {(row.text, row.judgment_id) for row in rows}


def void(session, judgment, user):
    judgments.void(session, judgment.id, by=user.id, may_void_others=False, at=NOW)


def test_an_ideal_answer_is_a_demonstration_while_its_judgment_stands(session):
    project, user = make_study(session, protocol=ASKED), make_user(session)
    judgment = cast(session, project, user, ideal_answer="Tea is a drink.")
    assert demonstrations(session, project) == {("Tea is a drink.", judgment.id)}
    assert [row["completion"] for row in corpus.demonstrations(session, project.id)] == ["Tea is a drink."]
    void(session, judgment, user)
    assert demonstrations(session, project) == set()
    judgment.voided_at = None
    session.flush()
    ideal_answers.keep(session, [judgment.id])
    ideal_answers.keep(session, [judgment.id])
    assert demonstrations(session, project) == {("Tea is a drink.", judgment.id)}


def test_the_same_ideal_answer_of_two_people_is_one_and_stays_with_the_other(session):
    project = make_study(session, prompts=1, overlap=2, protocol=ASKED)
    first, second = make_user(session), make_user(session)
    one = cast(session, project, first, ideal_answer="Tea.")
    two = cast(session, project, second, ideal_answer="Tea.")
    assert demonstrations(session, project) == {("Tea.", one.id)}
    void(session, one, first)
    assert demonstrations(session, project) == {("Tea.", two.id)}


def test_an_imported_demonstration_stays_when_a_judgment_goes(session):
    project, user = make_study(session, prompts=1, protocol=ASKED), make_user(session)
    shown = hold(session, project, user)[0]
    corpus.add_demonstrations(session, project.id, [(shown.prompt.messages, "Tea.")])
    judgment = cast(session, project, user, ideal_answer="Tea.")
    void(session, judgment, user)
    assert demonstrations(session, project) == {("Tea.", None)}


def test_an_ideal_answer_of_a_judgment_that_does_not_count_teaches_nothing(session):
    project, user = make_study(session, protocol=ASKED), make_user(session)
    comparison = hold(session, project, user)[0].comparison
    cast(session, project, user, comparison)
    late = cast(session, project, user, comparison, ideal_answer="Tea.")
    assert late.uncounted_reason and late.ideal_answer == "Tea."
    assert demonstrations(session, project) == set()


def test_an_ideal_answer_with_hidden_words_is_kept_and_teaches_nothing(session):
    project, user = make_study(session, protocol=ASKED, masks=["Acme"]), make_user(session)
    judgment = cast(session, project, user, ideal_answer=f"I am {HIDDEN}.")
    assert judgment.ideal_answer == f"I am {HIDDEN}."
    assert demonstrations(session, project) == set()


@pytest.mark.parametrize(
    ("protocol", "more", "field"),
    [
        (Protocol(), {"ideal_answer": "Tea."}, "ideal_answer"),
        (Protocol(), {"spans": [Span(completion=0, quote="x")]}, "spans"),
        (ASKED, {"spans": [Span(completion=2, quote="x")]}, "spans.0.completion"),
        (ASKED, {"spans": [Span(completion=0, start=1, quote="x")]}, "spans.0.end"),
        (ASKED, {"spans": [Span(completion=0, start=2, end=2, quote="")]}, "spans.0.end"),
        (ASKED, {"spans": [Span(completion=0, start=0, end=10_000, quote="x")]}, "spans.0.end"),
        (ASKED, {"spans": [Span(completion=0, quote=""), MARKED_WRONG]}, "spans.1.quote"),
        (ASKED, {"spans": [Span(completion=0, quote="x")] * 51}, "spans"),
        (ASKED, {"guidelines_version": 2}, "guidelines_version"),
    ],
)  # fmt: skip
def test_what_is_refused(session, protocol, more, field):
    project, user = make_study(session, protocol=protocol), make_user(session)
    with pytest.raises(Invalid) as refused:
        cast(session, project, user, **more)
    assert refused.value.field == field


def test_a_blank_ideal_answer_is_none(session):
    project, user = make_study(session), make_user(session)
    assert cast(session, project, user, ideal_answer=" \n").ideal_answer is None


def texts(session, comparison, *values):
    for id, value in zip(comparison.completions, values, strict=True):
        session.get_one(Completion, id).text = value
    session.flush()


def test_a_marked_part_is_kept_with_its_place(session):
    project, user = make_study(session, protocol=ASKED), make_user(session)
    comparison = hold(session, project, user)[0].comparison
    texts(session, comparison, "Tea is 🍵, they say", "No.")
    spans = [Span(completion=0, start=7, end=8, quote="🍵", remark="no words"), Span(completion=1, quote="No.")]
    judgment = cast(session, project, user, comparison, spans=spans)
    assert judgment.spans == [
        {"completion": 0, "start": 7, "end": 8, "quote": "🍵", "remark": "no words"},
        {"completion": 1, "start": None, "end": None, "quote": "No.", "remark": ""},
    ]


def test_a_part_is_marked_in_what_was_shown_and_kept_where_it_stands(session):
    project, user = make_study(session, protocol=ASKED, masks=["ChatGPT"]), make_user(session)
    comparison = hold(session, project, user)[0].comparison
    texts(session, comparison, "I am ChatGPT, a model", "No.")
    shown = f"I am {HIDDEN}, a model"
    spans = [
        Span(completion=0, start=10, end=17, quote="a model"),
        # Marked before the phrase was hidden: kept by its words.
        Span(completion=0, start=14, end=21, quote="a model"),
    ]
    assert shown[10:17] == "a model"
    judgment = cast(session, project, user, comparison, spans=spans)
    assert judgment.spans
    assert [(span["start"], span["end"]) for span in judgment.spans] == [(14, 21), (None, None)]


def test_a_judgment_names_the_guidelines_that_were_read(session):
    project, user = make_study(session, prompts=3), make_user(session)
    held = [item.comparison for item in hold(session, project, user, count=3)]
    projects.change(session, project, {"guidelines": "Be strict."})
    versions = [
        cast(session, project, user, comparison, guidelines_version=version).guidelines_version
        for comparison, version in zip(held, (None, 1, 2), strict=True)
    ]
    assert versions == [1, 1, 2]
