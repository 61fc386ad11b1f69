"""The small parts of the tour: valid configs, an honest time left, a private record, wins and ties, the table."""

import io
import stat
from pathlib import Path

import pytest
from rich.console import Console

from backend.demo import recipe, table
from backend.demo.display import Display, Pace
from backend.demo.recipe import Names
from backend.demo.record import Record
from backend.demo.tour import STAGES, win_rate
from backend.domain.training import read_config


def test_every_config_is_accepted_by_its_kind() -> None:
    names = Names(3)
    configs = {
        "pretrain": recipe.pretrain(names),
        "sft": recipe.sft(names, early=True),
        "sample": recipe.sample(names, ("base", "sft"), each=2),
        "reward_model": recipe.reward_model(names, "1"),
        "ppo": recipe.ppo(names),
        "evaluate": recipe.evaluate(names, prompts=5),
    }
    for kind, values in configs.items():
        assert read_config(kind, values).seed == 3, kind


def test_seeds_do_not_share_names() -> None:
    first, other = Names(1), Names(2)
    assert first.model("ppo") == "demo/ppo"
    assert first.project == "Everyday advice"
    assert {first.project, first.after_project}.isdisjoint({other.project, other.after_project})
    assert first.model("ppo") != other.model("ppo")


def test_the_stages_fit_into_six_minutes() -> None:
    assert sum(seconds for _, seconds in STAGES.values()) <= 360


def test_time_left_follows_the_pace_of_this_machine() -> None:
    expected = {"a": 60.0, "b": 120.0, "c": 60.0}
    usual, slow = Pace(expected), Pace(expected)
    assert usual.left("a", 0.0, 0.0) == pytest.approx(240.0)
    usual.finished("a", 60.0)
    assert usual.left("b", 0.5, 60.0) == pytest.approx(120.0)
    slow.finished("a", 120.0)
    # twice as slow: 240 s for what is expected to take 120 s, a little less because of the minute at the usual pace
    assert 180.0 < slow.left("b", 0.5, 120.0) < 240.0
    assert usual.share("b", 0.5) == pytest.approx(0.5)
    usual.finished("b", 120.0)
    usual.finished("c", None)
    assert usual.share("c", 1.0) == 1.0


def test_plain_lines_where_there_is_no_terminal() -> None:
    out = io.StringIO()
    with Display(Console(file=out), {"a": "Something was done"}, {"a": 1.0}) as display, display.stage("a") as stage:
        stage.at(0.5, "half")
    assert out.getvalue().startswith("  Something was done")
    assert out.getvalue().count("\n") == 1


def test_the_record_is_private_and_remembers(tmp_path: Path) -> None:
    record = Record.load(tmp_path, "demo")
    password = record.keep_password("ada@people.example")
    record.interrupted("pretrain", 10.0)
    record.finish("pretrain", 30.0)
    again = Record.load(tmp_path, "demo")
    assert again == record
    assert again.passwords == {"ada@people.example": password}
    assert (again.done, again.seconds) == (["pretrain"], {"pretrain": 40.0})
    assert stat.S_IMODE(record.path.stat().st_mode) == 0o600
    assert Record.load(tmp_path, "demo-2").done == []
    record.path.write_text("{")
    assert Record.load(tmp_path, "demo").done == []


def test_win_rate_counts_ties_as_half() -> None:
    assert win_rate([1.0, 2.0, 3.0, 4.0], [0.0, 2.0, 4.0, 3.0]) == pytest.approx((1 + 0.5 + 0 + 1) / 4)


def test_the_table_shows_every_number() -> None:
    report = {
        "judgments": 1160,
        "elo": {"demo/base": 1300.0, "demo/sft": 1500.0, "demo/ppo": 1700.0},
        "elo_before_ppo": {"demo/base": 1311.0, "demo/sft-early": 1444.0, "demo/sft": 1555.0},
        "reward_model": {"held_out_accuracy": 0.81},
        "utility": {"base": -2.5, "sft": 1.25, "ppo": 3.75},
        "win_rate_ppo_vs_sft": 0.9125,
        "kl_to_reference_per_seq": 5.9,
        "held_out_prompts": 160,
        "seconds": {"pretrain": 40.0, "ppo": 80.0},
        "checkpoint": "demo/ppo@0123",
        "examples": [{"prompt": "How?", "base": "the the", "sft": "It depends.", "ppo": "Happy to help!"}],
    }
    out = io.StringIO()
    console = Console(file=out, width=80)
    table.show(console, report)
    account = ("admin@people.example", "secret", "Sign in as the admin")
    table.where_to_look(console, "http://127.0.0.1:8000", report, ("advice", "after"), [account], "/data")
    shown = out.getvalue()
    for piece in (
        "1160",
        "+3.75",
        "-2.50",
        "91%",
        "1700",
        "1444",
        "demo/sft-early",
        "81%",
        "5.9",
        "120 s",
        "Happy to help!",
    ):
        assert piece in shown, piece
    assert "http://127.0.0.1:8000/projects/after/annotate" in shown
    assert "podium pull demo/ppo" in shown
