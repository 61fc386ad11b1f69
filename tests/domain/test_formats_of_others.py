"""Formats of others, rows as they stand in their files: arenas, labelled answers, whole dialogues, tables, arrays."""

import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.domain.formats import readers, rows
from backend.domain.formats.records import Answer, JudgmentRecord, Record, Rejected
from backend.errors import Invalid


def said(role: str, content: Any) -> dict[str, Any]:
    return {"role": role, "content": content}


def read(format: str, *lines: dict[str, Any]) -> list[Record | Rejected]:
    body = "\n".join(map(json.dumps, lines)).encode()
    return list(readers.read(readers.check_format(format), io.BytesIO(body), "x.jsonl"))


def guessed(row: dict[str, Any]) -> str:
    return readers.guess(io.BytesIO(json.dumps(row).encode()), "x.jsonl")


Q1, A1, B1, Q2 = said("user", "Q1"), said("assistant", "A1"), said("assistant", "B1"), said("user", "Q2")
TWO_TURNS = ["A1\n\nHuman: Q2\n\nAssistant: A2", "B1\n\nHuman: Q2\n\nAssistant: B2"]
FLAGS = {"winner_model_a": "0", "winner_model_b": "1", "winner_tie": "0"}


@pytest.mark.parametrize(
    ("row", "answers", "ranks"),
    [
        # lmsys/chatbot_arena_conversations, one turn and two
        ({"conversation_a": [Q1, A1], "conversation_b": [Q1, B1], "winner": "model_a"}, ["A1", "B1"], (1, 2)),
        (
            {
                "conversation_a": [Q1, A1, Q2, said("assistant", "A2")],
                "conversation_b": [Q1, B1, Q2, said("assistant", "B2")],
                "winner": "tie (bothbad)",
            },
            TWO_TURNS,
            None,
        ),
        # lmarena-ai, contents in parts
        (
            {
                "conversation_a": [said("user", [{"type": "text", "text": "Q1", "image": None}]), A1],
                "conversation_b": [Q1, B1],
                "winner": "both_bad",
            },
            ["A1", "B1"],
            None,
        ),
        # Kaggle, lists as JSON in CSV and flags as text
        ({"prompt": '["Q1"]', "response_a": '["A1"]', "response_b": '["B1"]', **FLAGS}, ["A1", "B1"], (2, 1)),
        (
            {"prompt": '["Q1", "Q2"]', "response_a": '["A1", "A2"]', "response_b": '["B1", "B2"]', **FLAGS},
            TWO_TURNS,
            (2, 1),
        ),
        # ShareGPT
        (
            {
                "conversation_a": [{"from": "human", "value": "Q1"}, {"from": "gpt", "value": "A1"}],
                "conversation_b": [{"from": "human", "value": "Q1"}, {"from": "gpt", "value": "B1"}],
                "winner": "tie",
            },
            ["A1", "B1"],
            (1, 1),
        ),
    ],
)
def test_battles_of_an_arena(row: dict[str, Any], answers: list[str], ranks: Any) -> None:
    row = {"model_a": "m", "model_b": "n", "judge": "arena_user_7", "turn": 1, "language": "English", **row}
    assert guessed(row) == "arena"
    (record,) = read("arena", row)
    assert isinstance(record, JudgmentRecord), record
    assert (record.messages, record.ranks, record.annotator) == ([Q1], ranks, "arena_user_7")
    assert record.answers == tuple(Answer(f"imported/{m}", text) for m, text in zip("mn", answers, strict=True))


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ({"model_a": "m", "model_b": "n", "winner": "tie"}, "conversation_a"),
        ({"model_a": "m", "conversation_a": [Q1, A1], "conversation_b": [Q1, B1], "winner": "maybe"}, "winner"),
        ({"conversation_a": [Q1, A1], "conversation_b": [Q2, A1], "winner": "tie"}, "common beginning"),
        ({"conversation_a": [Q1, A1], "conversation_b": [Q1, A1], "winner": "tie"}, "the same"),
        ({"conversation_a": [Q1], "conversation_b": [Q1, A1], "winner": "tie"}, "conversation_a"),
        ({"conversation_a": [said("user", [{"type": "image", "image": "x"}]), A1], "conversation_b": []}, "no text"),
        ({"prompt": ["Q"], "response_a": [None], "response_b": ["x"], "winner_tie": 1}, "turn 1 of response_a"),
        ({"prompt": ["Q"], "response_a": ["y", "z"], "response_b": ["x"], "winner_tie": 1}, "response_a"),
        ({"prompt": ["Q"], "response_a": ["y"], "response_b": ["x"], "winner_tie": 0}, "winner_tie"),
    ],
)
def test_a_battle_that_cannot_be_kept_says_why(row: dict[str, Any], named: str) -> None:
    (record,) = read("arena", row)
    assert isinstance(record, Rejected) and named in record.reason


def test_votes_for_names_alone_are_told_from_those_with_texts() -> None:
    names = {"model_a": "m", "model_b": "n", "winner": "model_a"}
    assert guessed(names) == "arena"
    assert guessed(names | {"prompt": "Q", "completion_a": "x", "completion_b": "y"}) == "judgments"


def test_labelled_answers_are_judged_against_those_beside_them() -> None:
    lines: list[dict[str, Any]] = [
        {"prompt": "Q", "completion": "good", "label": True},
        {"prompt": "Q", "completion": [said("assistant", "bad")], "label": False},
        {"prompt": "Q", "completion": "good", "label": True},
        {"prompt": "R", "completion": "alone", "label": False},
        {"prompt": "S", "completion": "x", "label": "0"},
        {"prompt": "S", "completion": "y", "label": "maybe"},
        {"prompt": "S", "completion": "z", "label": 1},
    ]
    assert guessed(lines[0]) == "unpaired"
    found = read("unpaired", *lines)
    kept = [record for record in found if isinstance(record, JudgmentRecord)]
    assert [([a.text for a in r.answers], r.ranks) for r in kept] == [(["good", "bad"], (1, 2)), (["x", "z"], (2, 1))]
    refused = {record.line: record.reason for record in found if isinstance(record, Rejected)}
    assert sorted(refused) == [3, 4, 6]
    assert "the same answer" in refused[3] and "nothing to compare" in refused[4] and "label is" in refused[6]


def test_a_prompt_beside_a_whole_dialogue_is_the_prompt() -> None:
    """As in ultrafeedback_binarized: prompt, chosen and rejected with the prompt repeated, messages as chosen."""
    whole = [said("user", "Q"), said("assistant", "good")]
    row = {
        "prompt": "Q",
        "prompt_id": "1f",
        "chosen": whole,
        "rejected": [said("user", "Q"), said("assistant", "bad")],
        "messages": whole,
        "score_chosen": 8.5,
        "score_rejected": 3.0,
    }
    table = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([row]), table)
    table.seek(0)
    assert readers.guess(table, "train_prefs-00000-of-00001.parquet") == "pairs"
    (record,) = readers.read("pairs", table, "x.parquet")
    assert isinstance(record, JudgmentRecord), record
    assert record.messages == [said("user", "Q")]
    assert {a.text: rank for a, rank in zip(record.answers, record.ranks or (), strict=True)} == {"good": 1, "bad": 2}


def test_tables_of_other_countries_and_of_other_programs() -> None:
    text = '\ufeff"note; with";prompt;completion_a;completion_b;winner\r\n;"a;\nb";x;y;a\r\n\r\n'
    (record,) = readers.read("judgments", io.BytesIO(text.encode()), "x.csv")
    assert isinstance(record, JudgmentRecord) and record.messages[0]["content"] == "a;\nb"
    tabs = b"prompt\tcompletion_a\tcompletion_b\twinner\nQ\tx\ty\tb\n"
    assert isinstance(next(iter(readers.read("judgments", io.BytesIO(tabs), "x.txt"))), JudgmentRecord)
    with pytest.raises(Invalid, match="UTF-8"):
        list(readers.read("prompts", io.BytesIO("prompt\nQ\n".encode("utf-16")), "x.csv"))


@settings(max_examples=30)
@given(st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=9), max_size=3), max_size=5), st.integers(0, 3))
def test_an_array_is_read_entry_by_entry(entries: list[dict[str, str]], indent: int) -> None:
    content = json.dumps(entries, indent=indent, ensure_ascii=True).encode()
    text = rows._Text(io.BytesIO(content))
    # As if only a few bytes could be had at a time.
    more = text._more
    text._more = lambda size=1: more(min(size, 3))  # type: ignore[method-assign]
    text.skip("[")
    found: list[Any] = []
    while not text.begins("]"):
        if found:
            text.skip(",")
        found.append(text.entry())
    assert found == entries


def test_an_array_that_breaks_keeps_what_came_before() -> None:
    found = list(rows.read(io.BytesIO(b'[{"a": 1}, 7, {"b": '), "x.json"))
    assert found[0] == (1, {"a": 1})
    assert [row.line for row in found if isinstance(row, Rejected)] == [2, 3]
