"""The worker's process: Celery with a pool of threads, each of which watches one trainer process.

    python -m workers.worker

SIGTERM or one Ctrl-C: running trainers save their state, their runs go back to the queue, the process ends.
"""

import logging
import sys

from backend.errors import PodiumError
from backend.logs import configure_logging
from backend.settings import Settings
from workers import tasks
from workers.attempt import Launch, launch_command
from workers.celery_app import make_app


def main(settings: Settings | None = None, launch: Launch = launch_command) -> int:
    """Work until told to stop. `launch` gives the command of a run's trainer; only tests give another."""
    settings = settings or Settings()
    configure_logging(settings.log_level)
    logging.getLogger("kombu").setLevel(logging.WARNING)
    try:
        app = make_app(settings)
        bench = tasks.make_bench(settings, launch)
    except PodiumError as error:
        print(f"podium worker: {error.message}", file=sys.stderr)
        return 1
    tasks.register(app, bench)
    tasks.sweep(bench)
    options = ["--pool", "threads", "--concurrency", str(settings.worker_concurrency)]
    options += ["--without-gossip", "--without-mingle", "--without-heartbeat", "--hostname", f"{bench.name}@%h"]
    app.worker_main(["worker", *options, "--loglevel", settings.log_level])
    return 0


if __name__ == "__main__":
    sys.exit(main())
