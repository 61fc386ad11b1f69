"""The launcher: what it decides and says. What it installs is seen by whoever runs it."""

import importlib.machinery
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import time
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from backend.settings import REPOSITORY

LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-node.lock")
STUB = """
import os, sys, time
from importlib.machinery import SourceFileLoader
launcher = SourceFileLoader("launcher", sys.argv[1]).load_module()

def install(want, environment):
    os.makedirs(os.path.dirname(launcher.PYTHON))
    os.symlink(sys.executable, launcher.PYTHON)
    with open(launcher.ROOT + "/installs", "a") as file:
        file.write("begin ")
    time.sleep(float(sys.argv[2]))
    with open(launcher.ROOT + "/installs", "a") as file:
        file.write("end ")

launcher.install = install
launcher.set_up(launcher.wanted(dev=False), {})
"""


@pytest.fixture
def launcher(tmp_path: Path) -> ModuleType:
    """The launcher as a module, in a folder of its own with the locks."""
    for name in ("podium", *LOCKS):
        shutil.copy(REPOSITORY / name, tmp_path)
    loader = importlib.machinery.SourceFileLoader("launcher", str(tmp_path / "podium"))
    spec = importlib.util.spec_from_loader("launcher", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def finished(launcher: ModuleType, want: dict[str, Any]) -> None:
    os.makedirs(os.path.dirname(launcher.PYTHON), exist_ok=True)
    if not os.path.lexists(launcher.PYTHON):
        os.symlink(sys.executable, launcher.PYTHON)
    Path(launcher.STAMP).write_text(json.dumps({**want, "python": os.path.realpath(launcher.PYTHON)}))


def test_a_finished_environment_is_taken_as_it_is(launcher: ModuleType) -> None:
    want = launcher.wanted(dev=False)
    assert not launcher.is_there(want)
    finished(launcher, want)
    assert launcher.is_there(want)
    assert not launcher.is_there(launcher.wanted(dev=True))
    finished(launcher, launcher.wanted(dev=True))
    assert launcher.is_there(launcher.wanted(dev=True))
    assert launcher.is_there(want)


@pytest.mark.parametrize("name", [*LOCKS, "frontend/package-lock.json"])
def test_a_lock_names_packages_and_hashes_and_no_address(name: str) -> None:
    lock = (REPOSITORY / name).read_text()
    assert "sha" in lock and "://" not in lock, "write the locks with .ci/lock"


@pytest.mark.parametrize("change", ["lock", "torch", "unfinished", "moved", "python"])
def test_what_has_changed_is_set_up_again(launcher: ModuleType, change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    finished(launcher, launcher.wanted(dev=False))
    match change:
        case "lock":
            with open(Path(launcher.ROOT, "requirements.lock"), "a") as lock:
                lock.write("\n")
        case "torch":
            monkeypatch.setattr(launcher, "TORCH", "9.9.9")
        case "unfinished":
            Path(launcher.UNFINISHED).touch()
        case "python":
            Path(launcher.PYTHON).unlink()
            Path(launcher.PYTHON).symlink_to("/usr/bin/env")
        case "moved":
            monkeypatch.setattr(launcher, "VENV", "/elsewhere/.venv")
    assert not launcher.is_there(launcher.wanted(dev=False))


def stub(launcher: ModuleType, seconds: float) -> subprocess.Popen[bytes]:
    script = Path(launcher.ROOT, "stub.py")
    script.write_text(textwrap.dedent(STUB))
    return subprocess.Popen([sys.executable, "-W", "ignore", script, Path(launcher.ROOT, "podium"), str(seconds)])


def test_two_starts_at_once_set_up_once(launcher: ModuleType) -> None:
    with stub(launcher, 1.0), stub(launcher, 1.0):
        pass
    assert Path(launcher.ROOT, "installs").read_text() == "begin end "
    assert launcher.is_there(launcher.wanted(dev=False))


def test_a_killed_set_up_is_begun_from_nothing(launcher: ModuleType) -> None:
    with stub(launcher, 60.0) as killed:
        while not Path(launcher.ROOT, "installs").exists():
            time.sleep(0.02)
        Path(launcher.VENV, "half-copied").touch()
        killed.kill()
    assert not launcher.is_there(launcher.wanted(dev=False))
    with stub(launcher, 0.0):
        pass
    assert launcher.is_there(launcher.wanted(dev=False))
    assert not Path(launcher.VENV, "half-copied").exists()


def test_an_update_keeps_the_packages_of_the_checks(launcher: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    finished(launcher, launcher.wanted(dev=True) | {"lock": "older"})
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(launcher, "install", lambda want, environment: asked.append(dict(want)))
    launcher.set_up(launcher.wanted(dev=False), {})
    assert asked[0]["dev"] == launcher.digest("requirements-dev.lock")
    assert launcher.is_there(launcher.wanted(dev=True))


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("error: Failed to install: foo.whl\n  Caused by: No space left on device (os error 28)", "The disk is full"),
        ("error: Failed to fetch: `https://…`\n  Caused by: dns error", "is there a network"),
        ("ERROR: Could not find a version\nNewConnectionError(...): Network is unreachable", "is there a network"),
        ("$ pip install\nERROR: hashes do not match", "hashes do not match"),
    ],
)
def test_failures_are_one_plain_sentence(launcher: ModuleType, said: str, sentence: str) -> None:
    explained = launcher.explain(said)
    assert sentence in explained
    assert "\n" not in explained


def test_a_step_that_fails_names_its_log(launcher: ModuleType) -> None:
    os.makedirs(launcher.VENV)
    with pytest.raises(launcher.Stop, match=r"went wrong.*podium-setup\.log"):
        launcher.run([sys.executable, "-c", "import sys; sys.exit('it went wrong')"], dict(os.environ))


def test_no_room_is_said_before_anything_is_fetched(launcher: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "NEEDED_BYTES", 10**18)
    with pytest.raises(launcher.Stop, match="disk space"):
        launcher.set_up(launcher.wanted(dev=False), {})
    assert not os.path.exists(launcher.VENV)


def test_another_python_is_looked_for(launcher: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(launcher.Stop, match=r"needs Python 3\.11 to 3\.14"):
        launcher.use_another_python()
    broken = tmp_path / "bin" / "python3.13"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\nexit 127\n")
    broken.chmod(0o755)
    with pytest.raises(launcher.Stop):
        launcher.use_another_python()
    (tmp_path / "bin" / "python3.12").symlink_to(sys.executable)
    taken: list[str] = []
    monkeypatch.setattr(os, "execv", lambda program, arguments: taken.append(program))
    with pytest.raises(launcher.Stop):  # the real execv does not return
        launcher.use_another_python()
    assert taken == [str(tmp_path / "bin" / "python3.12")]


def test_the_command_runs_where_the_path_has_blanks(launcher: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    venv = Path(launcher.ROOT, "a folder", ".venv")
    (venv / "bin").mkdir(parents=True)
    monkeypatch.setattr(launcher, "PYTHON", str(venv / "bin" / "python"))
    monkeypatch.setattr(launcher, "COMMAND", str(venv / "bin" / "podium"))
    monkeypatch.setattr(launcher, "ROOT", str(REPOSITORY))
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--system-site-packages", venv], check=True)
    launcher.write_command(dict(os.environ))
    path = [entry for entry in sys.path if entry.endswith("site-packages")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path)}
    done = subprocess.run(
        [venv / "bin" / "podium", "--version"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("podium, version"), done.stderr


@pytest.mark.parametrize("name", LOCKS)
def test_locks_hold_hashes_and_no_address(name: str) -> None:
    text = (REPOSITORY / name).read_text(encoding="utf-8")
    assert not re.search(r"://|^-|^\s*/|@ ", text, re.M)
    entries = re.split(r"\n(?=\S)", text.strip())
    assert entries
    assert all(re.match(r"[a-z0-9._-]+==\S+", entry) and "--hash=sha256:" in entry for entry in entries)


def test_the_locks_are_those_of_the_project() -> None:
    """Whoever changes a dependency runs .ci/lock."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    groups, extras = project["dependency-groups"], project["project"]["optional-dependencies"]
    wanted = {
        "requirements.lock": project["project"]["dependencies"] + extras["train"],
        "requirements-dev.lock": groups["dev"],
        "requirements-node.lock": groups["node"],
    }
    for name, requirements in wanted.items():
        text = (REPOSITORY / name).read_text(encoding="utf-8")
        pins: dict[str, set[str]] = {}
        for package, version in re.findall(r"^([a-z0-9._-]+)==([^\s;\\]+)", text, re.M):
            pins.setdefault(package, set()).add(version)
        for requirement in map(Requirement, requirements):
            if requirement.name != "torch":
                versions = pins[canonicalize_name(requirement.name)]
                assert all(requirement.specifier.contains(version) for version in versions), requirement
    assert not re.search(r"^(torch|nvidia|triton|cuda)", (REPOSITORY / "requirements.lock").read_text(), re.M)
    assert f"torch=={re.search(r'^TORCH = .(.+).$', (REPOSITORY / 'podium').read_text(), re.M)[1]}" in extras["train"]  # type: ignore[index]
