"""Stands in for a trainer in tests of the worker: speaks its protocol, computes nothing. No libraries.

    python stand_in_trainer.py FOLDER BEHAVIOUR

BEHAVIOUR is JSON: {"steps", "step_s", "ledger", "do": what to do at "at" step or instead of working}. Each step done is
a line `run attempt step` of the ledger, so that a test sees what was done how often.
"""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from workers.reported import Reported

kept = Reported(Path(sys.argv[1]))


def say(**message: Any) -> None:
    kept.keep(message)
    print(json.dumps(message), flush=True)


def end_with_worker() -> None:
    os.read(0, 1)
    os._exit(1)


def main() -> int:
    folder, behaviour = Path(sys.argv[1]), json.loads(sys.argv[2])
    job = json.loads((folder / "job.json").read_text())
    steps, do, at = behaviour.get("steps", 5), behaviour.get("do"), behaviour.get("at", 2)
    if do != "ignore_worker":
        threading.Thread(target=end_with_worker, daemon=True).start()
    stop = threading.Event()
    if do == "ignore_sigterm":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, lambda *_: stop.set())

    state = folder / "state" / "step"
    done = int(state.read_text()) if state.exists() else 0
    say(type="progress", step=done, total=steps, phase="train")
    for step in range(done + 1, steps + 1):
        wake = time.monotonic() + behaviour.get("step_s", 0.0)
        while time.monotonic() < wake and not stop.is_set():
            time.sleep(0.01)
        if stop.is_set():
            return 75
        if step == at and do:
            misbehave(do, folder, behaviour)
        if behaviour.get("ledger"):
            with open(behaviour["ledger"], "a") as ledger:
                ledger.write(f"{job['run']} {job['attempt']} {step}\n")
        say(type="metrics", step=step, values={"loss": 1 / step, "attempt": job["attempt"]})
        say(type="metrics", step=step, values={"time/step_s": 0.1})
        say(type="sample", step=step, prompt=[{"role": "user", "content": "hi"}], completion=f"{step}", values={})
        say(type="progress", step=step, total=steps, phase="train")
        if do != "never_save":
            fresh = state.with_suffix(".new")
            fresh.write_text(str(step))
            os.replace(fresh, state)
            say(type="state", step=step)
    write_output(job, folder / "output")
    say(type="result", values={"loss": 0.5, "steps": steps})
    return 0


def write_output(job: dict[str, Any], output: Path) -> None:
    if job["kind"] == "sample":
        with open(output / "completions.jsonl", "w") as file:
            for line in (folder_of(job) / job["inputs"]["prompts"]).read_text().splitlines():
                prompt = json.loads(line)
                for model in job["inputs"]["models"]:
                    row = {"prompt": prompt["id"], "model": model["model"], "text": f"by {model['name']}\0"}
                    row |= {"finish_reason": "stop", "sampling": {"temperature": 1.0}, "token_ids": [1, 2]}
                    file.write(json.dumps(row | {"logprobs": [-0.5, -0.25]}) + "\n")
        return
    (output / "config.json").write_text(json.dumps({"model_type": "stand-in", "seed": job["seed"]}))
    (output / "model.safetensors").write_bytes(b"weights" * 1000)


def folder_of(job: dict[str, Any]) -> Path:
    return Path(sys.argv[1])


def misbehave(do: str, folder: Path, behaviour: dict[str, Any]) -> None:
    if do == "crash":
        print("Traceback (most recent call last):\n  RuntimeError: the gradient went for a walk", file=sys.stderr)
        sys.exit(3)
    elif do == "error":
        say(type="error", message="The texts are too short to learn from; import longer ones.")
        sys.exit(1)
    elif do == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif do == "exit_0":
        sys.exit(0)
    elif do == "stop_self":
        sys.exit(75)
    elif do == "garbage":
        out = sys.stdout.buffer
        out.write(b'\xff\xfe{"type": "metrics"}\n{"type": "metrics", "step": "x", "values": 3}\n{"type": "nonsense"}\n')
        out.write(b'[1, 2]\n{"type": "metrics", "step": -1, "values": {}}\nnot json\n' + b"[" * 100_000 + b"\n")
        out.write(b'{"type": "metrics", "step": 77, "values": {"bad": NaN, "big": Infinity, "ok": 1.5}}\n')
        out.write(b'{"type": "sample", "step": 77, "prompt": [{"role": "user", "content": "a\\u0000b"}], ')
        out.write(b'"completion": "\\ud800 half", "values": {"score": NaN}}\n')
        out.write(b"x" * (9 << 20) + b"\n")
        out.flush()
        for number in range(6000):
            print(f"warning {number}\r", file=sys.stderr)
    elif do == "silent":
        time.sleep(behaviour["silent_s"])
    elif do == "orphan":
        # Something that outlives the trainer and keeps its pipes open.
        if os.fork() == 0:
            time.sleep(600)
            os._exit(0)
    elif do == "fill_disk":
        with open(folder / "state" / "big", "wb") as file:
            while True:
                file.write(b"x" * (1 << 20))


if __name__ == "__main__":
    sys.exit(main())
