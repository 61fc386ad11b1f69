"""Speed of what admins read and decide about a large project, and of an annotator's own numbers, inside the services.

    python -m benchmarks.review [--judgments 100000] [--of-one 10000] [--repeats 3]

A project of prompts with four completions, all six pairs judged four times by 40 people, some ties, a third against the
usual order; one more person judged `of-one` of them. Written straight into a throwaway PostgreSQL, then measured as the
API calls it, each in a session of its own. One JSON line for each: seconds (the median of the repeats; what changes
something runs once) and what it gave.
"""

import argparse
import json
import statistics
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from backend.database import make_engine, make_session_factory
from backend.embedded import throwaway
from backend.migrate import migrate
from backend.services import (
    agreement,
    agreement_history,
    annotator_fits,
    disagreements,
    leaderboards,
    progress,
    projects,
    ratings,
    review,
    signs,
    voidings,
    work,
)
from backend.services.pages import paginate_rows
from backend.tables import Judgment, Project

OVERLAP, PAIRS = 4, 6

FILL = (
    "INSERT INTO users (id, name, email, role) SELECT gen_random_uuid(), 'Person ' || n, n || '@bench.example',"
    " 'annotator' FROM generate_series(0, 40) AS n",
    "INSERT INTO models (id, name, source) SELECT gen_random_uuid(), 'bench/' || n, '{\"kind\": \"imported\"}'"
    " FROM generate_series(1, 4) AS n",
    """INSERT INTO prompts (id, project_id, digest, messages, completions, handed_out)
    SELECT gen_random_uuid(), :project, n::text, '[{"role": "user", "content": "A question"}]', 4, :handed_out
    FROM generate_series(1, :prompts) AS n""",
    """INSERT INTO completions (id, project_id, prompt_id, model_id, digest, text)
    SELECT gen_random_uuid(), :project, p.id, m.id, m.name, repeat('word ', 50 + (random() * 300)::int)
    FROM prompts p, models m""",
    "CREATE TEMP TABLE people AS SELECT id, row_number() OVER (ORDER BY email) - 1 AS n FROM users",
    """CREATE TEMP TABLE asked AS
    SELECT gen_random_uuid() AS comparison, a.prompt_id, a.id AS x, b.id AS y,
           md5(a.id::text || b.id::text)::uuid AS set_key, turn,
           CASE WHEN turn = 0 AND random() < CAST(:of_one AS float) * :overlap / :judgments THEN 0
                ELSE 1 + (row_number() OVER () * 13 / 8 + turn * 11) % 40 END AS person
    FROM completions a JOIN completions b ON b.prompt_id = a.prompt_id AND a.id < b.id,
         generate_series(0, :overlap - 1) AS turn""",
    """INSERT INTO comparisons
    (id, project_id, prompt_id, annotator_id, completions, set_key, kind, policy, guidelines_version, state)
    SELECT comparison, :project, prompt_id, people.id, CASE WHEN random() < 0.5 THEN ARRAY[x, y] ELSE ARRAY[y, x] END,
           set_key, 'regular', 'random', 1, 'judged' FROM asked JOIN people ON people.n = person""",
    """INSERT INTO judgments
    (id, project_id, prompt_id, comparison_id, annotator_id, ranks, none_acceptable, guidelines_version, active_ms,
     created_at)
    SELECT gen_random_uuid(), :project, prompt_id, id, annotator_id,
           CASE WHEN random() < 0.2 THEN ARRAY[1, 1]
                WHEN (completions[1] < completions[2]) = (random() < 0.67) THEN ARRAY[1, 2] ELSE ARRAY[2, 1] END,
           false, 1, (random() * 60000)::int, now() - random() * interval '30 days' FROM comparisons""",
    "UPDATE judgments SET position = sequence",
    "UPDATE projects SET judgments_folded = (SELECT max(position) FROM judgments)",
)


def fill(engine: Engine, judgments: int, of_one: int) -> tuple[uuid.UUID, uuid.UUID]:
    """The project and the person who judged so many."""
    prompts = max(1, judgments // (OVERLAP * PAIRS))
    with make_session_factory(engine).begin() as session:
        project = projects.create(session, name="Large", overlap=OVERLAP).id
        values = {"project": project, "prompts": prompts, "handed_out": OVERLAP * PAIRS, "overlap": OVERLAP}
        for statement in FILL:
            needed = {name: value for name, value in values.items() if f":{name}" in statement}
            if ":of_one" in statement:
                needed |= {"of_one": of_one, "judgments": prompts * OVERLAP * PAIRS}
            session.execute(text(statement), needed)
        one = session.scalar(text("SELECT id FROM people WHERE n = 0"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    assert isinstance(one, uuid.UUID)
    return project, one


def main() -> None:
    """Fill a database and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--judgments", type=int, default=100_000)
    parser.add_argument("--of-one", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    with throwaway() as cluster:
        engine = make_engine(cluster.create_database("bench", cluster.template("migrated", migrate)))
        measure(engine, *fill(engine, arguments.judgments, arguments.of_one), arguments.repeats)
        engine.dispose()


def measure(engine: Engine, project_id: uuid.UUID, one: uuid.UUID, repeats: int) -> None:
    """Print what each takes."""
    factory = make_session_factory(engine)
    now = datetime.now(UTC)

    def run(name: str, what: Callable[[Session, Project], Any], times: int = repeats) -> Any:
        seconds = []
        for _ in range(times):
            with factory.begin() as session:
                project = session.get_one(Project, project_id)
                began = time.perf_counter()
                gave = what(session, project)
                seconds.append(time.perf_counter() - began)
        print(
            json.dumps({"what": name, "seconds": round(statistics.median(seconds), 3), "gave": _told(gave)}), flush=True
        )
        return gave

    def listed(**filters: Any) -> Callable[[Session, Project], Any]:
        return lambda s, p: paginate_rows(s, review.of_project(p, **filters), key=Judgment.sequence, limit=50)[0]

    run("own numbers", lambda s, p: work.of_person(s, p, one, now, in_steps=True).judgments)
    run("list of annotators", lambda s, p: agreement.annotators(s, p, now))
    run("agreement", lambda s, p: agreement.of_project(s, p).units)
    run("agreement over time", lambda s, p: agreement_history.of_project(s, p, "time"))
    run("agreement by guidelines", lambda s, p: agreement_history.of_project(s, p, "guidelines_version"))
    run("one person over time", lambda s, p: agreement_history.of_project(s, p, "time", annotator_id=one))
    run("signs of one person", lambda s, p: signs.of_person(s, p, one))
    run("fit of annotators", lambda s, p: annotator_fits.fit(s, p).number, 1)
    run("list of annotators, with signs of slopes", lambda s, p: agreement.annotators(s, p, now))
    run("models, weighed", lambda s, p: leaderboards.board(s, p, crowd=annotator_fits.crowd(s, p)).annotator_fit)
    run("progress", lambda s, p: progress.of_project(s, p, one, now).judgments)
    so_far = progress.Progress(
        judgments=0, wanted=1000, left=1000, open_leases=0, skipped=0, mine=0, today=0, settled=0, unsettled=100
    )
    run("forecast", lambda s, p: progress.forecast(s, p, so_far, now).days_left)
    run("disagreements made anew", lambda s, p: disagreements.refresh(s, p.id), 1)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE disagreements"))
    run("disagreements, strongest", lambda s, p: disagreements.page(s, p)[0])
    run("disagreements, newest undecided", lambda s, p: disagreements.page(s, p, order="newest", adjudicated=False)[0])
    run("judgments", listed())
    run("judgments, disagreeing", listed(disagreeing=True))
    run("judgments, voided (none is)", listed(voided=True))
    run("judgments of one person", listed(annotator=one))
    voiding = run("void one person", lambda s, p: _void(s, p, one, now), 1)
    run("ratings made anew", lambda s, p: ratings.fold(s, p.id), 1)
    run("restore", lambda s, p: voidings.restore(s, voidings.find(s, voiding), by=one, at=now).judgments, 1)


def _void(session: Session, project: Project, one: uuid.UUID, now: datetime) -> uuid.UUID:
    return voidings.void_annotator(session, project, one, reason="A measurement.", by=one, at=now).id


def _told(gave: Any) -> Any:
    return len(gave) if isinstance(gave, list) else str(gave) if isinstance(gave, uuid.UUID) else gave


if __name__ == "__main__":
    main()
