"""What one judgment costs the server until the ratings hold it, by how many judgments the project has already.

    python -m benchmarks.live_ratings [--sizes 1000,100000,1000000] [--judgments 200]

Projects as in `benchmarks.large`, each in a throwaway PostgreSQL. One judgment at a time through the services, as the
API and the dispatcher call them, each step a transaction: a comparison is handed out, the judgment is kept (`keep`),
and taken into the ratings of its completions, of the models, into what annotators disagree on and into the posterior
(`fold`). One JSON line for each size: the median and the 95th percentile of the milliseconds of each, commit included;
`processor` is what the fold takes of this process alone, without the database.
"""

import argparse
import json
import random
import statistics
import time
import uuid
from itertools import pairwise

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.database import SessionFactory, make_engine, make_session_factory
from backend.domain.judgments import Verdict
from backend.embedded import throwaway
from backend.migrate import migrate
from backend.services import comparisons, judgments, ratings
from backend.tables import Project, User
from benchmarks.large import fill

WARM_UP = 20


def judge(sessions: SessionFactory, project_id: uuid.UUID, annotator_id: uuid.UUID, rng: random.Random) -> list[float]:
    """Seconds of handing out, keeping, folding, and of the processor while folding."""

    def hand_out(session: Session) -> uuid.UUID:
        held = comparisons.hand_out(session, session.get_one(Project, project_id), annotator_id, 1, rng)
        return held.items[0].comparison.id

    times = [time.perf_counter()]
    with sessions.begin() as session:
        comparison_id = hand_out(session)
    times.append(time.perf_counter())
    with sessions.begin() as session:
        verdict = Verdict(ranks=rng.choice([(1, 2), (2, 1)]))
        judgments.cast(
            session, id=uuid.uuid4(), annotator_id=annotator_id, comparison_id=comparison_id, verdict=verdict
        )
    times.append(time.perf_counter())
    processor = time.process_time()
    with sessions.begin() as session:
        assert ratings.fold_pending(session) == 1
    times.append(time.perf_counter())
    return [end - begin for begin, end in pairwise(times)] + [time.process_time() - processor]


def measure(url: str, project_id: uuid.UUID, number: int) -> dict[str, float]:
    """So many judgments, one after the other, by people in turn."""
    engine = make_engine(url)
    sessions = make_session_factory(engine)
    with sessions() as session:
        people = session.scalars(select(User.id).where(User.role == "annotator").order_by(User.id)).all()
    rng = random.Random(0)
    found = [judge(sessions, project_id, people[n % len(people)], rng) for n in range(WARM_UP + number)][WARM_UP:]
    engine.dispose()
    line = {}
    for name, column in zip(("hand_out", "keep", "fold", "processor"), zip(*found, strict=True), strict=True):
        cuts = statistics.quantiles(column, n=20)
        line |= {f"{name}_ms_p50": round(1000 * cuts[9], 2), f"{name}_ms_p95": round(1000 * cuts[18], 2)}
    return line


def main() -> None:
    """Read the command line, fill and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1000,100000,1000000")
    parser.add_argument("--judgments", type=int, default=200)
    options = parser.parse_args()
    for size in map(int, options.sizes.split(",")):
        with throwaway() as cluster:
            url = cluster.create_database("live")
            migrate(url)
            engine = make_engine(url)
            project_id = fill(engine, size)
            engine.dispose()
            print(json.dumps({"judgments": size, **measure(url, project_id, options.judgments)}), flush=True)


if __name__ == "__main__":
    main()
