"""A real worker process whose trainers are the stand-in.

python -m tests.workers.stand_in_worker BEHAVIOUR
"""

import json
import sys

from tests.workers.stand_in import command
from workers import worker

if __name__ == "__main__":
    behaviour = json.loads(sys.argv[1])
    sys.exit(worker.main(launch=lambda folder: command(folder, behaviour)))
