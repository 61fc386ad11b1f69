"""What one judgment costs the server until the ratings hold it, by how many judgments the project has already.

    python -m benchmarks.live_ratings [--sizes 1000,100000,1000000] [--judgments 200]

Projects as in `benchmarks.large`, each in a throwaway PostgreSQL. One judgment at a time through the services, as the
API and the dispatcher call them, each step a transaction: a comparison is handed out, the judgment is kept (`keep`),
and taken into the ratings of its completions, of the models, into what annotators disagree on and into the posterior
(`fold`). Then ten judgments folded at once, as it is when people judge faster than the dispatcher's half second
(`fold_of_10_each`: for each of them). One JSON line for each size: the median and the 95th percentile of the
milliseconds of each, commit included; `processor` is what the fold takes of this process, without the database.
"""

import argparse
import json
import random
import statistics
import time
import uuid
from collections.abc import Sequence
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
AT_ONCE = 10


def judge(sessions: SessionFactory, project_id: uuid.UUID, annotator_id: uuid.UUID, rng: random.Random) -> list[float]:
    """Seconds of handing out and keeping."""

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
    return [end - begin for begin, end in pairwise(times)]


def fold(sessions: SessionFactory, waiting: int) -> list[float]:
    """Seconds of folding so many judgments, for each of them, and those of the processor."""
    began, processor = time.perf_counter(), time.process_time()
    with sessions.begin() as session:
        assert ratings.fold_pending(session) == waiting
    return [(time.perf_counter() - began) / waiting, (time.process_time() - processor) / waiting]


def measure(url: str, project_id: uuid.UUID, number: int) -> dict[str, float]:
    """So many judgments, one after the other, by people in turn."""
    engine = make_engine(url)
    sessions = make_session_factory(engine)
    with sessions() as session:
        people = session.scalars(select(User.id).where(User.role == "annotator").order_by(User.id)).all()
    rng = random.Random(0)
    alone, together = [], []
    for n in range(WARM_UP + number):
        alone.append([*judge(sessions, project_id, people[n % len(people)], rng), *fold(sessions, 1)])
    for _ in range(number // AT_ONCE):
        for n in range(AT_ONCE):
            judge(sessions, project_id, people[n % len(people)], rng)
        together.append(fold(sessions, AT_ONCE))
    engine.dispose()
    line: dict[str, float] = {}
    for name, column in zip(("hand_out", "keep", "fold", "processor"), zip(*alone[WARM_UP:], strict=True), strict=True):
        line |= quantiles(name, column)
    for name, column in zip((f"fold_of_{AT_ONCE}", "its_processor"), zip(*together, strict=True), strict=True):
        line |= quantiles(f"{name}_each", column)
    return line


def quantiles(name: str, seconds: Sequence[float]) -> dict[str, float]:
    """The median and the 95th percentile in milliseconds."""
    cuts = statistics.quantiles(seconds, n=20)
    return {f"{name}_ms_p50": round(1000 * cuts[9], 2), f"{name}_ms_p95": round(1000 * cuts[18], 2)}


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
