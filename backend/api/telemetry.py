"""The numbers that /metrics shows. Knows no route and no service."""

import os

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.tables import Judgment, Project, Run

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Telemetry:
    """Counters of one application. With PROMETHEUS_MULTIPROC_DIR set they are summed over all API processes."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "podium_http_requests", "Requests answered.", ("method", "route", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "podium_http_request_seconds",
            "Time until the answer began.",
            ("method", "route"),
            buckets=BUCKETS,
            registry=self.registry,
        )

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answer. `route` is a template such as /api/v1/users/{id}, so that there are few of them."""
        method = method if method in METHODS else "OTHER"
        self.requests.labels(method, route, str(status)).inc()
        self.seconds.labels(method, route).observe(seconds)

    def text(self) -> bytes:
        """The counters in the exposition format."""
        if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            shared = CollectorRegistry()
            MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
            return generate_latest(shared)
        return generate_latest(self.registry)


def database_text(session: Session) -> bytes:
    """What the database knows: judgments and live runs. Each number comes from an index or a short table."""
    registry = CollectorRegistry()
    folded = session.scalar(select(func.coalesce(func.sum(Project.judgments_folded), 0))) or 0
    waiting = session.scalar(select(func.count()).where(Judgment.position.is_(None), Judgment.stands))
    Gauge("podium_judgments_folded", "Judgments that the ratings contain.", registry=registry).set(int(folded))
    Gauge("podium_judgments_waiting", "Judgments that the ratings do not contain yet.", registry=registry).set(
        waiting or 0
    )
    runs = Gauge("podium_runs", "Runs that are not finished.", ("state",), registry=registry)
    for state in ("queued", "running"):
        runs.labels(state).set(0)
    live = select(Run.state, func.count()).where(Run.state.in_(("queued", "running"))).group_by(Run.state)
    for state, count in session.execute(live):
        runs.labels(state).set(count)
    return generate_latest(registry)
