"""A run's own process: reads `job.json` in the folder it is given, trains, and says how it goes as JSON lines.

    python -m workers.training.launch FOLDER
    python -m torch.distributed.run --standalone --nproc-per-node N ... -m workers.training.launch FOLDER

Standard output carries the events of `events.py` and nothing else; whatever a library prints goes to standard error,
which is the run's log. Standard input is held open by the worker: when it ends, the worker is gone and so is this
process. SIGTERM asks the trainer to save its state. Of several ranks all train, but only the first one tells how it
goes; an error is told by whoever meets it. Knows no trainer beyond its name and no database.

Exit codes: 0 after a result, 75 when stopped with the state saved, 1 after an `error` line.
"""

import errno
import importlib
import json
import os
import shutil
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NoReturn, TextIO

from workers.reported import Reported
from workers.training.memory import is_out_of_memory

os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
# Many texts are encoded on as many cores as the run may take; that it is said keeps forks from being warned of.
os.environ["TOKENIZERS_PARALLELISM"] = "true"
os.environ.setdefault("RAYON_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", ""))
# peft asks transformers for this by its old name; nobody who reads the log of a run can do anything about it.
warnings.filterwarnings("ignore", ".is_gradient_checkpointing. is deprecated", FutureWarning)
# Threads that wait for work by spinning take the cores from whoever should give it to them: on a machine that does
# anything else at all, an iteration of PPO took 20 times as long. Read once, when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# But a short while (some 20 us) they do wait for the next operation, or each would begin with waking them.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

# Micro-batches of many widths would leave a GPU's memory in pieces that fit none of the next ones.
os.environ.setdefault("PYTORCH_ALLOC_CONF", "expandable_segments:True")

STOPPED = 75
WORKER_GONE = 70
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

TRAINERS = {
    "pretrain": "workers.training.pretrain",
    "sft": "workers.training.sft",
    "sample": "workers.training.sample",
    "reward_model": "workers.training.reward_model",
    "ppo": "workers.training.ppo_run",
    "evaluate": "workers.training.evaluate",
}


def main(folder: Path) -> int:
    """Run the job in `folder`; returns the exit code."""
    rank = int(os.environ.get("RANK", "0"))
    out = _claim_stdout()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C in the terminal is the supervisor's to pass on
    threading.Thread(target=_end_with_the_worker, daemon=True).start()
    try:
        ended = None
        with closing(Reported(folder)) as reported:
            for event in _events(folder, stop):
                if rank == 0:
                    message = event.to_json()
                    reported.keep(message)
                    say(out, message)
                ended = event
        # Of several ranks one may be told to stop a moment before this one is.
        if type(ended).__name__ == "StateSaved" or (stop.is_set() and not _is_result(ended)):
            return STOPPED
        if not _is_result(ended):
            raise RuntimeError("the trainer ended without a result")
        return 0
    except BaseException as error:
        traceback.print_exc()
        say(out, {"type": "error", "message": in_plain_words(error, folder)})
        return 1


def _claim_stdout() -> TextIO:
    """Keep the real standard output for events, and send what anybody prints to the log."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return out


def say(out: TextIO, message: dict[str, Any]) -> None:
    """One message, one line, sent at once."""
    out.write(json.dumps(message, ensure_ascii=False, allow_nan=False) + "\n")
    out.flush()


def _end_with_the_worker() -> None:
    """Blocks until the pipe from the worker ends; then nobody listens any more, and another attempt may begin."""
    while os.read(0, 4096):
        pass
    os._exit(WORKER_GONE)


def _is_result(event: object) -> bool:
    return type(event).__name__ == "Result"


def _events(folder: Path, stop: threading.Event) -> Iterator[Any]:
    """The events of the job's trainer. Heavy libraries are imported here, once the process can be stopped."""
    described = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    kind = described["kind"]
    say_phase = {"type": "progress", "step": 0, "total": None, "phase": "loading"}
    yield _Plain(say_phase)
    import torch  # here, because it takes seconds during which the process must already listen

    from backend.domain.training import read_config
    from workers.training import ranks, room
    from workers.training.job import Job

    if "RANK" in os.environ:
        ranks.end_with_torchrun()
    config = read_config(kind, described["config"])
    among, device = ranks.join(getattr(config, "devices", 1))
    # OMP_NUM_THREADS is how the worker passes on PODIUM_RUN_THREADS.
    threads = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
    settle(device, described["seed"], max(1, threads // among.world))
    job = Job(
        folder=folder,
        kind=kind,
        config=config,
        inputs=_absolute(described["inputs"], folder),
        seed=described["seed"],
        run=described["run"],
        model_name=described.get("model_name"),
        store=Path(described["store"]) if described.get("store") else None,
        device=device,
        dtype=torch.bfloat16 if device.type == "cuda" else torch.float32,
        should_stop=stop.is_set,
        ranks=among,
    )
    yield from room.check(job)
    with suppress(ranks.Stopped):
        yield from importlib.import_module(TRAINERS[kind]).train(job)
    ranks.leave()


def settle(device: Any, seed: int, threads: int) -> None:
    """Set torch up for a run on a device."""
    import torch

    if device.type == "cpu":
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(True, warn_only=True)
        # Else each new tensor is filled with nan, to show who reads what nobody wrote: a pass over memory each time.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.manual_seed(seed)


class _Plain:
    """A message that is already in its form on the wire."""

    def __init__(self, message: dict[str, Any]) -> None:
        self.message = message

    def to_json(self) -> dict[str, Any]:
        return self.message


def _absolute(inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Paths of files are written relative to the folder of the run; folders of models are absolute already."""
    return {name: str(folder / value) if isinstance(value, str) else value for name, value in inputs.items()}


def end(code: int) -> NoReturn:
    """End this process as it stands, its last word said. While Python takes itself apart, a thread of gloo that lets go
    of a tensor would abort it (pytorch issue 190489), after everything went well.
    """
    sys.stderr.flush()
    os._exit(code)


def in_plain_words(error: BaseException, folder: Path) -> str:
    """What went wrong, in a sentence for the person who started the run in this folder."""
    name = type(error).__name__
    if is_out_of_memory(error):
        return "There is not enough memory for this run; lower tokens_per_microbatch or take a smaller model."
    full = isinstance(error, OSError) and error.errno in FULL
    if full or any(os.strerror(number) in str(error) for number in FULL):  # safetensors has an error of its own for it
        return (
            f"The disk that holds {folder} is full ({shutil.disk_usage(folder).free / 1e6:.0f} MB free). Nothing "
            "half-written was kept, and the state saved before still is: make room and resume the run."
        )
    if name == "DistBackendError" or "gloo" in str(error):  # whoever failed first has said why, if it still could
        return (
            "Another process of this run ended or no longer answered, most often because the machine ran out of "
            "memory; resume the run, with fewer devices or a lower tokens_per_microbatch."
        )
    if hasattr(error, "message") and hasattr(error, "field"):  # one of backend.errors, written for people
        return str(error)
    if isinstance(error, KeyboardInterrupt | SystemExit):
        return "The run's process was told to end."
    if name == "SafetensorError" or (isinstance(error, OSError) and error.filename):
        return (
            f"A file of the run could not be read or written ({error}). Whatever was saved before is still there: "
            "mend that file or its disk, then resume the run."
        )
    first = str(error).strip().splitlines()[0] if str(error).strip() else "no more is known"
    return f"The run stopped by a fault of the program ({name}: {first}). Its log holds the details."


if __name__ == "__main__":
    end(main(Path(sys.argv[1])))
