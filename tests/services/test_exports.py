"""Exports: what goes out comes back in; preferences read as other tools write them."""

import csv
import io
import json
import random
import uuid
from collections import Counter

import pyarrow.parquet as pq
import pytest
from sqlalchemy import func, select

from backend.domain.formats import writers
from backend.domain.judgments import Protocol, Verdict
from backend.domain.spans import Span
from backend.errors import Invalid, NotFound
from backend.services import comparisons, exports, imports, judgments, ratings, rewards
from backend.tables import Comparison, Completion, Demonstration, Judgment, ModelRating
from tests.factories import judge_next, make_judgment, make_project, make_study, make_user
from tests.services.test_gold import add_gold


def judged_study(session, **options):
    project, user = make_study(session, prompts=6, models=3, **options), make_user(session)
    verdicts = [(1, 2), (2, 1), (1, 1), None]
    turn = 0
    while judge_next(session, project, user, ranks=verdicts[turn % 4]):
        turn += 1
    ratings.fold_pending(session)
    return project


def board_of(session, project):
    ratings_of = select(ModelRating.model_id, ModelRating.elo).where(ModelRating.project_id == project.id)
    return sorted(session.execute(ratings_of).all())


def export(session, project, what, format="jsonl", layout="podium"):
    return b"".join(writers.write(exports.rows(session, project, what, layout), format))


@pytest.mark.parametrize("format", ["jsonl", "csv", "parquet"])
def test_judgments_come_back_with_the_same_ratings(session, format):
    project = judged_study(session)
    body = export(session, project, "judgments", format)
    copy = make_project(session)
    report = imports.load(session, copy, io.BytesIO(body), format=None, filename=f"x.{format}")
    assert (report.format, report.rejected) == ("judgments", [])
    assert report.created["judgments"] == 18
    ratings.fold_pending(session)
    assert board_of(session, copy) == board_of(session, project)


@pytest.mark.parametrize("format", ["jsonl", "csv", "parquet"])
def test_what_came_with_a_judgment_comes_back_with_it(session, format):
    protocol = Protocol(ideal_answer="optional", spans=True, comment="optional")
    project, user = make_study(session, prompts=3, protocol=protocol, repeat_share=0.0), make_user(session)
    for place, item in enumerate(comparisons.hand_out(session, project, user.id, 3, random.Random(1)).items):
        text = item.completions[1].text
        judgments.cast(
            session,
            id=uuid.uuid4(),
            annotator_id=user.id,
            comparison_id=item.comparison.id,
            verdict=Verdict(ranks=(1, 2), comment="why"),
            ideal_answer="Tea, said “she”." if place else None,
            spans=[Span(completion=1, start=3, end=9, quote=text[3:9], remark="wrong"), Span(completion=0, quote="x")]
            if place != 1
            else [],
        )
    body = export(session, project, "judgments", format)
    copy = make_project(session)
    for _ in range(2):  # a second time changes nothing
        report = imports.load(session, copy, io.BytesIO(body), format=None, filename=f"x.{format}")
        assert report.rejected == []

    def kept(of):
        rows = session.scalars(select(Judgment).where(Judgment.project_id == of.id).order_by(Judgment.sequence))
        return [(row.ideal_answer, row.spans, row.comment, row.guidelines_version) for row in rows]

    def shown(of):
        rows = session.scalars(select(Demonstration).where(Demonstration.project_id == of.id))
        return sorted((row.digest, row.text) for row in rows)

    assert kept(copy) == kept(project)
    assert shown(copy) == shown(project)
    assert len(shown(copy)) == 2


@pytest.mark.parametrize("format", ["jsonl", "csv", "parquet"])
def test_gold_and_repeats_come_back_as_what_they_are(session, format):
    project, user = make_study(session, prompts=30, repeat_share=0.4, gold_share=0.3), make_user(session)
    for number in range(20, 30):
        add_gold(session, project, number=number)
    while judge_next(session, project, user):
        pass
    copy = make_project(session)
    imports.load(session, copy, io.BytesIO(export(session, project, "judgments", format)), format=None, filename="x")
    ratings.fold_pending(session)

    def kinds(of):
        rows = session.execute(
            select(Comparison.kind, Judgment.gold_right)
            .join(Judgment, Judgment.comparison_id == Comparison.id)
            .where(Comparison.project_id == of.id)
        )
        return Counter(rows.all())

    assert kinds(copy) == kinds(project)
    assert {kind for kind, _ in kinds(copy)} == {"regular", "repeat", "gold"}
    rated = select(func.count()).where(Judgment.project_id == copy.id, Judgment.position > 0)
    assert session.scalar(rated) == kinds(copy)["regular", None]


@pytest.mark.parametrize("layout", ["podium", "trl", "hh-rlhf"])
def test_preferences_come_back_as_pairs(session, layout):
    project = judged_study(session)
    decided = session.scalar(
        select(func.count()).where(
            Judgment.project_id == project.id, Judgment.ranks.is_not(None), Judgment.ranks != [1, 1]
        )
    )
    body = export(session, project, "preferences", layout=layout)
    copy = make_project(session)
    report = imports.load(session, copy, io.BytesIO(body), format=None, filename="x.jsonl")
    assert report.rejected == []
    assert report.created["judgments"] == decided == 10


def test_battles_come_back_with_the_same_ratings(session):
    project = judged_study(session)
    copy = make_project(session)
    body = export(session, project, "judgments", "parquet", "arena")
    assert imports.load(session, copy, io.BytesIO(body), format=None).created["judgments"] == 18
    assert board_of(session, copy) == board_of(session, project)


@pytest.mark.parametrize("format", ["jsonl", "csv", "parquet"])
def test_an_export_makes_nothing_twice_neither_here_nor_elsewhere(session, format):
    project = judged_study(session)
    rewards.freeze(session, project)
    for what, layout in (
        ("judgments", "podium"),
        ("judgments", "arena"),
        ("preferences", "podium"),
        ("preferences", "trl"),
        ("preferences", "hh-rlhf"),
        ("completions", "podium"),
        ("rewards", "podium"),
    ):
        body = export(session, project, what, format, layout)
        back = imports.load(session, project, io.BytesIO(body), format=None, filename=f"x.{format}")
        assert (sum(back.created.values()), back.rejected, back.repeated) == (0, [], back.read), (what, layout)
        copy = make_project(session)
        first = imports.load(session, copy, io.BytesIO(body), format=None, filename=f"x.{format}")
        again = imports.load(session, copy, io.BytesIO(body), format=None, filename=f"x.{format}")
        assert sum(first.created.values()) > 0
        assert (sum(again.created.values()), again.rejected, again.repeated) == (0, [], again.read), (what, layout)


def test_a_layout_belongs_to_what_it_lays_out(session):
    project = make_project(session)
    wrong: list[tuple[exports.What, writers.Layout]]
    wrong = [("judgments", "trl"), ("preferences", "arena"), ("completions", "hh-rlhf")]
    for what, layout in wrong:
        with pytest.raises(Invalid) as refused:
            exports.rows(session, project, what, layout)
        assert refused.value.field == "layout"


def test_completions_come_back(session):
    project = judged_study(session)
    copy = make_project(session)
    imports.load(session, copy, io.BytesIO(export(session, project, "completions")), format=None, filename="x")
    texts = [
        sorted(session.scalars(select(Completion.text).where(Completion.project_id == id)))
        for id in (project.id, copy.id)
    ]
    assert texts[0] == texts[1]
    assert len(texts[0]) == 18


def test_rewards_are_those_of_the_newest_set(session):
    project = judged_study(session)
    with pytest.raises(NotFound):
        exports.rows(session, project, "rewards")
    rewards.freeze(session, project)
    lines = [json.loads(line) for line in export(session, project, "rewards").splitlines()]
    assert len(lines) == 18
    assert {"prompt", "completion", "reward", "weight", "split"} <= lines[0].keys()
    table = pq.read_table(io.BytesIO(export(session, project, "rewards", "parquet")))
    assert table.column("reward").to_pylist() == [line["reward"] for line in lines]


def test_voided_judgments_stay_out(session):
    project, user = make_study(session), make_user(session)
    judgment = make_judgment(session, project, user)
    judgment.voided_at = func.now()
    session.flush()
    assert export(session, project, "judgments") == b""


def test_an_empty_export_is_an_empty_file_of_its_format(session):
    project = make_project(session)
    assert export(session, project, "judgments") == b""
    assert pq.read_table(io.BytesIO(export(session, project, "judgments", "parquet"))).num_rows == 0


def test_csv_keeps_every_character(session):
    project = make_project(session)
    nasty = 'He said "no",\nthen; left\ttab — 你好 ‮x'
    imports.load(
        session,
        project,
        io.BytesIO(json.dumps({"prompt": nasty, "model": "m", "completion": nasty}).encode()),
        format="completions",
    )
    row = next(csv.DictReader(io.StringIO(export(session, project, "completions", "csv").decode(), newline="")))
    assert row["completion"] == nasty
    assert json.loads(row["prompt"])[0]["content"] == nasty
