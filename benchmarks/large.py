"""Seconds and memory of what takes all judgments of a large project, as the services do it.

    python -m benchmarks.large [--judgments 1000000] [--only load,matrix,...]

A project of prompts with four completions by 4 of 20 models, each pair judged four times by 200 people, written
straight into a throwaway PostgreSQL. Each piece of work runs in a process of its own, with as few threads as the one
aside of the API. One JSON line for each: seconds, and the peak memory of that process above what it held before.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from backend.aside import environment
from backend.database import make_engine, make_session_factory
from backend.embedded import throwaway
from backend.migrate import migrate
from backend.services import agreement, facts, leaderboards, projects, rewards
from backend.tables import Project, RewardSet

COMPLETIONS, PAIRS, OVERLAP, MODELS, PEOPLE = 4, 6, 4, 20, 200

# Ids rise, as ours do.
FILL = (
    "SET session_replication_role = replica",
    """CREATE FUNCTION pg_temp.id(kind int, n bigint) RETURNS uuid IMMUTABLE LANGUAGE sql
    AS $$ SELECT ('019' || kind || lpad(to_hex(n), 12, '0') || '8000000000000000')::uuid $$""",
    "INSERT INTO users (id, name, email, role) SELECT pg_temp.id(1, n), 'Person ' || n, n || '@bench.example',"
    " 'annotator' FROM generate_series(1, :people) AS n",
    "INSERT INTO models (id, name, source) SELECT pg_temp.id(2, n), 'bench/' || n, '{\"kind\": \"imported\"}'"
    " FROM generate_series(1, :models) AS n",
    """INSERT INTO prompts (id, project_id, digest, messages, completions, handed_out)
    SELECT pg_temp.id(3, n), :project, n::text, '[{"role": "user", "content": "A question"}]', 4, :handed_out
    FROM generate_series(1, :prompts) AS n""",
    """INSERT INTO completions (id, project_id, prompt_id, model_id, digest, text)
    SELECT pg_temp.id(4, 4 * n + m), :project, pg_temp.id(3, n), pg_temp.id(2, 1 + (n * 7 + m * 5) % :models), m::text,
           repeat('word ', 50 + (random() * 300)::int) || repeat(E'\\n- item', (random() * 6)::int)
    FROM generate_series(1, :prompts) AS n, generate_series(0, 3) AS m""",
    """INSERT INTO comparisons
    (id, project_id, prompt_id, annotator_id, completions, set_key, kind, policy, guidelines_version, state)
    SELECT pg_temp.id(5, i), :project, pg_temp.id(3, n), pg_temp.id(1, 1 + (i * 13 / 8 + turn) % :people),
           CASE WHEN random() < 0.5 THEN ARRAY[x, y] ELSE ARRAY[y, x] END, md5(x::text || y::text)::uuid, 'regular',
           'random', 1, 'judged'
    FROM (
        SELECT n, turn, ((n - 1) * 6 + pair - 1) * :overlap + turn + 1 AS i,
               pg_temp.id(4, 4 * n + (ARRAY[0, 0, 0, 1, 1, 2])[pair]) AS x,
               pg_temp.id(4, 4 * n + (ARRAY[1, 2, 3, 2, 3, 3])[pair]) AS y
        FROM generate_series(1, :prompts) AS n, generate_series(1, 6) AS pair, generate_series(0, :overlap - 1) AS turn
    ) AS asked""",
    """INSERT INTO judgments
    (id, sequence, position, project_id, prompt_id, comparison_id, annotator_id, ranks, none_acceptable,
     guidelines_version, active_ms, created_at) OVERRIDING SYSTEM VALUE
    SELECT gen_random_uuid(), i, i, :project, prompt_id, id, annotator_id,
           CASE WHEN random() < 0.2 THEN ARRAY[1, 1]
                WHEN (completions[1] < completions[2]) = (random() < 0.67) THEN ARRAY[1, 2] ELSE ARRAY[2, 1] END,
           false, 1, (random() * 60000)::int, now() - random() * interval '30 days'
    FROM (SELECT *, row_number() OVER (ORDER BY hashint8(('x' || right(id::text, 12))::bit(48)::bigint)) AS i
          FROM comparisons WHERE project_id = :project) AS shuffled""",
    """INSERT INTO completion_ratings (completion_id, prompt_id, project_id, elo, judgments)
    SELECT id, prompt_id, project_id, 1000, 3 * :overlap FROM completions WHERE project_id = :project""",
    """INSERT INTO model_ratings (project_id, model_id, elo, judgments)
    SELECT :project, model_id, 1000, count(*) FROM completions WHERE project_id = :project GROUP BY model_id""",
    """INSERT INTO rating_snapshots (project_id, position, models)
    SELECT :project, n * 1000, (SELECT jsonb_object_agg(model_id, jsonb_build_array(elo, judgments)) FROM model_ratings)
    FROM generate_series(1, (:prompts * 6 * :overlap - 1) / 1000) AS n""",
    "UPDATE projects SET judgments_folded = :prompts * 6 * :overlap WHERE id = :project",
    "SELECT setval(pg_get_serial_sequence('judgments', 'sequence'), :prompts * 6 * :overlap + 1)",
    "SET session_replication_role = origin",
)


def fill(engine: Engine, judgments: int) -> uuid.UUID:
    """A project with about so many judgments in its ratings."""
    prompts = max(1, judgments // (OVERLAP * PAIRS))
    with make_session_factory(engine).begin() as session:
        project = projects.create(session, name="Large", overlap=OVERLAP + 1)
        values = {"project": project.id, "prompts": prompts, "people": PEOPLE, "models": MODELS, "overlap": OVERLAP}
        for statement in FILL:
            session.execute(text(statement), values | {"handed_out": OVERLAP * PAIRS})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))
    return project.id


def _frozen(method: facts.Method) -> Callable[[Session, Project], object]:
    return lambda session, project: rewards.freeze(session, project, method=method)


def _compare(session: Session, project: Project) -> object:
    first, second, *_ = session.query(RewardSet.id).order_by(RewardSet.number)
    return rewards.compare(session, first[0], second[0])


WORK: dict[str, Callable[[Session, Project], Any]] = {
    "load": facts.load,
    "matrix": leaderboards.matrix,
    "board": lambda session, project: leaderboards.board(session, project, cluster="prompt"),
    "board both": lambda session, project: leaderboards.board(session, project, cluster="both"),
    "board style": lambda session, project: leaderboards.board(session, project, controls=True, side=True),
    "agreement": agreement.of_project,
    "rate completions": lambda session, project: facts.rate(facts.load(session, project), "bradley_terry"),
    "freeze elo": _frozen("elo"),
    "freeze bradley_terry": _frozen("bradley_terry"),
    "freeze crowd_bradley_terry": _frozen("crowd_bradley_terry"),
    "compare": _compare,
}


def measure(url: str, name: str) -> None:
    """Do one of them once and print what it took."""
    engine = make_engine(url)
    with make_session_factory(engine).begin() as session:
        project = session.query(Project).one()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.perf_counter()
        WORK[name](session, project)
        session.flush()
        seconds = time.perf_counter() - began
    above = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(json.dumps({"what": name, "seconds": round(seconds, 2), "above_mb": round(above / 1024)}), flush=True)


def main() -> None:
    """Read the command line, fill and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--judgments", type=int, default=1_000_000)
    parser.add_argument("--only", default="", help="names, separated by commas")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        measure(*options.one)
        return
    with throwaway() as cluster:
        url = cluster.create_database("large")
        migrate(url)
        engine = make_engine(url)
        began = time.perf_counter()
        fill(engine, options.judgments)
        engine.dispose()
        print(json.dumps({"what": "fill", "seconds": round(time.perf_counter() - began, 1)}), flush=True)
        for name in options.only.split(",") if options.only else WORK:
            command = [sys.executable, "-m", "benchmarks.large", "--one", url, name]
            subprocess.run(command, check=True, env=os.environ | environment())


if __name__ == "__main__":
    main()
