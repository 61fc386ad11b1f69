"""The product in one test: a Podium is started, people judge, and the loop goes round once, over REST and the files a
client gets; in the middle of it the worker and the API are killed."""

import io
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from backend.client import Client, save_curves
from backend.settings import REPOSITORY, Settings
from backend.up import Podium, running

KIND, RUDE = ["Gladly, here is how", "Of course, my friend"], ["Go away", "No, leave me alone"]
TOPICS = ["tea", "rice", "soup", "bread", "jam", "cake", "salad", "toast"]


def question(n: int) -> list[dict[str, str]]:
    return [{"role": "user", "content": f"How do I make {TOPICS[n % 8]} number {n}?"}]


def answer(n: int, rng: random.Random) -> str:
    manner = rng.choice(KIND if rng.random() < 0.5 else RUDE)
    return f"{manner}. Take some {TOPICS[n % 8]} and wait."


@pytest.fixture(scope="module")
def podium(
    tmp_path_factory: pytest.TempPathFactory, started_before: Callable[[Settings], Settings]
) -> Iterator[Podium]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("podium"), port=port, run_heartbeat_s=0.5, run_lost_after_s=4.0
    )
    lines: list[str] = []
    with running(started_before(settings), lines.append) as started:
        yield started


@pytest.fixture(scope="module")
def client(podium: Podium) -> Iterator[Client]:
    with Client(podium.settings) as one:
        yield one


def wait_for(client: Client, run: str, *, until: tuple[str, ...] = ("succeeded",), seconds: float = 240) -> Any:
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        found = client.get(f"runs/{run}")
        if found["state"] in until:
            return found
        if found["state"] in ("failed", "cancelled"):
            log = "\n".join(line["line"] for line in client.get(f"runs/{run}/log")["items"][-30:])
            raise AssertionError(f"{found['kind']} {found['state']}: {found['message']}\n{log}")
        time.sleep(0.2)
    raise AssertionError(f"still {found['state']} after {seconds} s: {found['progress']}")


def start(client: Client, kind: str, **config: Any) -> str:
    return str(client.post("runs", {"project": "loop", "kind": kind, "config": config})["id"])


def run(client: Client, kind: str, **config: Any) -> Any:
    return wait_for(client, start(client, kind, **config))


def lines(*rows: Any) -> io.BytesIO:
    return io.BytesIO("\n".join(json.dumps(row) for row in rows).encode())


def send(client: Client, format: str, *rows: Any) -> Any:
    body = lines(*rows)
    size = len(body.getvalue())
    return client.send_file("projects/loop/imports", body, size, lambda _: None, format=format, filename="x.jsonl")


def kill_processes(name: str) -> None:
    """SIGKILL every process of ours whose command line ends like this."""
    found = [p for p in psutil.Process(os.getpid()).children(recursive=True) if p.cmdline()[-1:] == [name]]
    assert found, f"there is no process {name}"
    for process in found:
        process.send_signal(signal.SIGKILL)


@pytest.mark.slow
def test_the_whole_loop(podium: Podium, client: Client, tmp_path: Path) -> None:
    rng = random.Random(3)
    client.post("projects", {"name": "Loop", "guidelines": "Friendly is better.", "overlap": 2, "random_share": 0.5})
    texts = [{"text": f"How do I make {TOPICS[n % 8]} number {n}? {answer(n, rng)}"} for n in range(400)]
    assert send(client, "documents", *texts)["created"]["documents"] > 300
    shown = [{"prompt": question(n), "completion": answer(n, rng)} for n in range(200)]
    send(client, "demonstrations", *shown)
    send(client, "prompts", *[{"prompt": question(n)} for n in range(40)])

    # A language model, and what it answers.
    small = {"hidden_size": 48, "layers": 2, "heads": 4, "vocabulary_size": 400, "context_tokens": 96}
    run(client, "pretrain", **small, epochs=3.0, texts_per_step=32, output_name="loop/base")
    sft = run(
        client, "sft", model="loop/base", method="full", epochs=4.0, demonstrations_per_step=16,
        learning_rate=3e-3, output_name="loop/sft",
    )  # fmt: skip
    assert client.get(f"checkpoints/{sft['checkpoint']}")["parents"][0]["name"] == "loop/base"
    run(client, "sample", models=["loop/base", "loop/sft"], completions_per_prompt=2, max_new_tokens=24)
    prompts = client.get("projects/loop/prompts", limit=1)["items"]
    assert prompts[0]["completions"] >= 2

    # People judge; the API is killed in the middle, and nothing that was acknowledged is lost.
    acknowledged = set()
    for turn in range(160):
        items = client.post("projects/loop/comparisons/next", count=1)["items"]
        if not items:
            break
        comparison = items[0]
        good = [any(word in item["text"] for word in ("Gladly", "friend")) for item in comparison["completions"]]
        ranks = [1, 1] if good[0] == good[1] else [1, 2] if good[0] else [2, 1]
        judgment = str(uuid.uuid4())
        client._json(
            "PUT",
            f"judgments/{judgment}",
            json={"comparison": comparison["id"], "lease": comparison["lease"]["id"], "ranks": ranks},
        )
        acknowledged.add(judgment)
        if turn == 40:
            kill_processes("api")
            wait_until_answers(client)
    stored = {item["id"] for item in client.pages("projects/loop/judgments", limit=200)}
    assert stored == acknowledged
    assert len(stored) > 60

    reward_set = client.post("projects/loop/reward-sets", {})
    assert reward_set["judgments"] == len(acknowledged)

    # The worker is killed while the reward model trains: the run is neither lost nor done twice.
    reward = start(
        client, "reward_model", model="loop/sft", reward_set=reward_set["id"], epochs=6.0, prompts_per_step=8,
        learning_rate=2e-3, save_every_s=0.0, output_name="loop/reward",
    )  # fmt: skip
    wait_for(client, reward, until=("running",))
    time.sleep(2)
    kill_processes("workers.worker")
    reward_run = wait_for(client, reward)
    assert reward_run["attempt"] >= 2
    assert len([c for c in client.pages("checkpoints") if c["run"] == reward]) == 1

    ppo = run(
        client, "ppo", model="loop/sft", reward_model="loop/reward", iterations=4, episodes_per_iteration=16,
        max_new_tokens=24, output_name="loop/ppo",
    )  # fmt: skip
    metrics = client.get(f"runs/{ppo['id']}/metrics")["items"]
    assert len(metrics) >= 4
    assert any(name.startswith("objective/kl_base") for name in metrics[0]["values"])
    assert client.get(f"runs/{ppo['id']}/samples")["items"]
    assert b"objective/kl_base_per_seq_nats" in save_curves(client, ppo["id"], tmp_path).read_bytes()

    evaluation = run(
        client, "evaluate", models=["loop/sft", "loop/ppo"], reward_model="loop/reward",
        reward_set=reward_set["id"], max_new_tokens=24, bootstrap_rounds=100,
    )  # fmt: skip
    assert 0 <= evaluation["result"]["evaluate/win_rate:loop/ppo"] <= 1

    # The new policy is a model like any other and answers again.
    run(client, "sample", models=["loop/ppo"], max_new_tokens=24)
    assert client.post("projects/loop/comparisons/next", count=1)["items"]

    # A client in a process of its own pulls the policy and generates, merged and as an adapter over its parent.
    environment = {**os.environ, "PODIUM_URL": podium.url, "PODIUM_TOKEN": podium.token}
    for name in ("ppo", "sft"):
        subprocess.run(
            [sys.executable, "-m", "backend.cli", "pull", f"loop/{name}", str(tmp_path / name)],
            cwd=REPOSITORY, env=environment, check=True, timeout=120, capture_output=True,
        )  # fmt: skip
    adapter = json.loads((tmp_path / "ppo" / "adapter" / "adapter_config.json").read_text())
    assert adapter["base_model_name_or_path"] == "loop/sft"
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(tmp_path / "ppo"), str(tmp_path / "sft")],
        env=environment, check=False, timeout=240, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["difference"] < 1e-4


LOAD = """
import json, sys, torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer
merged = AutoModelForCausalLM.from_pretrained(sys.argv[1])
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
adapted = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(sys.argv[2]), sys.argv[1] + "/adapter")
messages = [{"role": "user", "content": "How do I make tea number 1?"}]
ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
with torch.no_grad():
    difference = (merged(**ids).logits - adapted(**ids).logits).abs().max().item()
out = merged.generate(**ids, max_new_tokens=8, do_sample=False)
print(json.dumps({"difference": difference, "text": tokenizer.decode(out[0])}))
"""


def wait_until_answers(client: Client, seconds: float = 60) -> None:
    began = time.monotonic()
    while True:
        try:
            client.get("me")
            return
        except Exception:
            if time.monotonic() - began > seconds:
                raise
            time.sleep(0.2)
