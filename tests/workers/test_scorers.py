"""Scorers that people bring along: found, asked, checked, and their faults told in plain words."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from backend.domain.training import read_config
from backend.domain.training.scorers import ScorerConfig
from backend.errors import Invalid
from workers import scorers
from workers.training.ranks import Stopped

PROMPTS = [[{"role": "user", "content": "Hi"}], [{"role": "user", "content": "Bye"}]]
TEXTS = ["Hello there", "So long"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(scorers.FOLDER, str(tmp_path))
    (tmp_path / "length.py").write_text(
        "def words(prompts, completions):\n    return [len(text.split()) for text in completions]\n"
        "def one(prompts, completions):\n    return [1.0]\n"
        "def odd(prompts, completions):\n    return [float('nan')] * len(completions)\n"
        "def broken(prompts, completions):\n    return [1 / 0]\n"
        "constant = 3\n",
        encoding="utf-8",
    )
    return tmp_path


def of_file(name: str) -> ScorerConfig:
    return ScorerConfig(name="words", python=name)


def test_a_function_in_the_folder_scores(folder: Path) -> None:
    assert scorers.load(of_file("length.py:words"))(PROMPTS, TEXTS) == [2.0, 2.0]


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("length.py:one", "gave 1 scores for 2 completions"),
        ("length.py:odd", "no finite number"),
        ("length.py:broken", "ZeroDivisionError"),
    ],
)
def test_scores_that_are_none_are_refused(folder: Path, name: str, fault: str) -> None:
    score = scorers.load(of_file(name))
    with pytest.raises(Invalid, match=fault):
        score(PROMPTS, TEXTS)


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("no.py:words", "is not in"),
        ("length.py:no", "no such"),
        ("length.py:constant", "no such"),
        ("unfinished.py:words", "unfinished.py cannot be read .SyntaxError"),
    ],
)
def test_what_is_not_there_is_named(folder: Path, name: str, fault: str) -> None:
    (folder / "unfinished.py").write_text("def words(:", encoding="utf-8")
    with pytest.raises(Invalid, match=fault):
        scorers.load(of_file(name))


def test_without_a_folder_there_are_no_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(scorers.FOLDER, raising=False)
    with pytest.raises(Invalid, match=scorers.FOLDER):
        scorers.load(of_file("length.py:words"))


@pytest.fixture
def service() -> Iterator[tuple[str, list[Any]]]:
    """A service that counts letters, and what it was asked. Where it is slow, it answers after the test."""
    asked: list[Any] = []
    done = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            asked.append((self.path, self.headers.get("authorization"), body))
            if self.path.endswith("slow"):
                done.wait()
            answer = json.dumps({"scores": [len(text) for text in body["completions"]]}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/score", asked
    done.set()
    server.shutdown()
    server.server_close()


def test_a_service_is_asked_in_parts_with_its_key(
    service: tuple[str, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, asked = service
    monkeypatch.setenv("SCORE_API_KEY", "s3cret")
    score = scorers.load(ScorerConfig(name="letters", url=url, api_key_env="SCORE_API_KEY"))
    many = [f"{'x' * (i % 7)}" for i in range(scorers.AT_ONCE + 5)]
    assert score([PROMPTS[0]] * len(many), many) == [float(len(text)) for text in many]
    assert [(path, key, len(body["completions"])) for path, key, body in asked] == [
        ("/score", "Bearer s3cret", scorers.AT_ONCE), ("/score", "Bearer s3cret", 5)
    ]  # fmt: skip
    assert asked[1][2]["prompts"] == [PROMPTS[0]] * 5


def test_who_waits_for_a_service_can_be_told_to_stop(service: tuple[str, list[Any]]) -> None:
    url, asked = service
    score = scorers.load(ScorerConfig(name="slow", url=f"{url}/slow"), lambda: _stop_when(len(asked) > 0))
    with pytest.raises(Stopped):
        score([PROMPTS[0]] * 99, ["x"] * 99)
    assert len(asked) == 1, "and is not asked for the rest"


def _stop_when(told: bool) -> None:
    if told:
        raise Stopped


@pytest.mark.parametrize(
    ("one", "fault"),
    [
        ({"name": "x"}, "either python or url"),
        ({"name": "x", "python": "a.py:f", "url": "http://h/"}, "either python or url"),
        ({"name": "x", "python": "../a.py:f"}, "python"),
        ({"name": "x", "url": "file:///etc/passwd"}, "url"),
        ({"name": "x", "url": "http://h/", "api_key_env": "AWS_SECRET_ACCESS_KEY"}, "api_key_env"),
        ({"name": "reward_model", "python": "a.py:f"}, "names of their own"),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(one: dict[str, Any], fault: str) -> None:
    with pytest.raises(Invalid, match=fault):
        read_config("ppo", {"model": "a/b", "reward_model": "a/c", "scorers": [one]})


@pytest.mark.parametrize("called", [["score"], ["length"], ["kl"], ["reward_model"], ["own", "own"]])
def test_a_judge_of_an_evaluation_takes_nobody_elses_name(called: list[str]) -> None:
    """`evaluate/score_mean` of a judge called score would stand where the reward model's stands."""
    with pytest.raises(Invalid, match="names of their own"):
        read_config("evaluate", {"models": ["a/b"], "scorers": [{"name": name, "python": "a.py:f"} for name in called]})
    read_config("evaluate", {"models": ["a/b"], "scorers": [{"name": "own", "python": "a.py:f"}]})
