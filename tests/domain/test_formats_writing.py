"""Export formats: what is written can be read again, and means the same."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, get_args

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.domain.formats import readers, rows, writers
from backend.domain.formats.records import Answer, CompletionRecord, JudgmentRecord, Rejected
from backend.domain.formats.writers import FileFormat, Layout
from backend.domain.judgments import dense

FORMATS: tuple[FileFormat, ...] = get_args(FileFormat)

# Any text that is stored, and those that a format could trip over.
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=30).filter(
    str.strip
) | st.sampled_from(['a,"b"\r\nc', "[1]", "=1+1", "\r", "null", "true", "1e5", "ü\u2028\U0001f600"])
CHAT = st.lists(TEXT, min_size=1, max_size=3).map(lambda said: [{"role": "user", "content": text} for text in said])
# Saying nothing, or a space, is an answer too.
COMPLETION = TEXT | st.sampled_from(["", " ", "\n"])


def written(table: list[dict[str, Any]], format: FileFormat) -> io.BytesIO:
    return io.BytesIO(b"".join(writers.write(table, format)))


def judgment_row(prompt: Any, answers: tuple[Answer, ...], ranks: Any, more: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "j",
        "prompt": prompt,
        "completions": [{"id": "c", "model": answer.model, "text": answer.text} for answer in answers],
        "ranks": ranks and list(ranks),
        "none_acceptable": ranks is None,
        "annotator": "ann",
        "strength": more.get("strength"),
        "aspects": more.get("aspects"),
        "comment": more.get("comment"),
        "active_ms": more.get("active_ms"),
    }


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(
            CHAT,
            st.lists(COMPLETION, min_size=2, max_size=4, unique=True),
            st.sampled_from([(1, 2, 3, 4), (2, 1, 1, 2), None]),
            st.fixed_dictionaries(
                {},
                optional={
                    "strength": st.integers(1, 4),
                    "comment": TEXT,
                    "active_ms": st.integers(0, 10**6),
                    "aspects": st.just({"honest": [1, 1]}) | st.just({'kind, "and" short': [2, 1]}),
                },
            ),
        ),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from(FORMATS),
)
def test_judgments_come_back_as_they_were(table: list[Any], format: FileFormat) -> None:
    expected, sent = [], []
    for line, (prompt, texts, ranks, more) in enumerate(table, start=1):
        if len(texts) != 2:
            more = {key: value for key, value in more.items() if key != "aspects"}
        answers = tuple(Answer("imported/m", text) for text in texts)
        ranks = ranks and dense(ranks[: len(texts)])
        sent.append(judgment_row(prompt, answers, ranks, more))
        aspects = more.get("aspects")
        expected.append(
            JudgmentRecord(
                line,
                prompt,
                answers,
                ranks,
                "ann",
                more.get("strength"),
                aspects and {name: tuple(given) for name, given in aspects.items()},
                more.get("comment"),
                more.get("active_ms"),
            )
        )
    file = written(sent, format)
    assert readers.guess(file, f"x.{format}") == "judgments"
    found = list(readers.read("judgments", file, f"x.{format}"))
    assert [replace(record, line=0) for record in found] == [replace(record, line=0) for record in expected]


@settings(max_examples=30)
@given(st.lists(st.tuples(CHAT, COMPLETION), min_size=1, max_size=4), st.sampled_from(FORMATS))
def test_completions_come_back_as_they_were(table: list[Any], format: FileFormat) -> None:
    sent = [
        {"id": "c", "prompt": prompt, "model": "a/b", "completion": text, "rating": None, "judgments": 0}
        for prompt, text in table
    ]
    file = written(sent, format)
    assert readers.guess(file, f"x.{format}") == "completions"
    found = list(readers.read("completions", file, f"x.{format}"))
    assert all(isinstance(record, CompletionRecord) for record in found)
    assert [(record.messages, record.answer) for record in found if isinstance(record, CompletionRecord)] == [
        (prompt, Answer("imported/a/b", text)) for prompt, text in table
    ]


# Whatever else a row of ours has that layouts read.
ABOUT: dict[str, Any] = {"strength": None, "split": "train", "judgment": "01a20675-ecf9-7848-a1ba-bf79797a9ece"}
TURNS = st.lists(TEXT.map(str.strip).filter(bool), min_size=1, max_size=4).map(
    lambda said: [
        {"role": ("user", "assistant")[place % 2], "content": text}
        for place, text in enumerate(said[: len(said) - 1 | 1])
    ]
)


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(TURNS, COMPLETION.map(str.strip), COMPLETION.map(str.strip)).filter(lambda row: row[1] != row[2]),
        min_size=1,
        max_size=3,
    ),
    st.sampled_from(FORMATS),
    st.sampled_from(["podium", "trl", "hh-rlhf"]),
)
def test_preferences_come_back_as_they_were(table: list[Any], format: FileFormat, layout: Layout) -> None:
    sent = [
        {**ABOUT, "prompt": prompt, "chosen": best, "rejected": worst, "chosen_model": "m", "rejected_model": "n"}
        for prompt, best, worst in table
    ]
    file = written(list(map(dict, writers.lay_out(sent, layout))), format)
    expected = {"podium": "pairs", "trl": "pairs", "hh-rlhf": "hh-rlhf"}
    # CSV has no lists: there a list is told by its text.
    assert readers.guess(file, f"x.{format}") == expected[layout]
    found = list(readers.read(readers.check_format(expected[layout]), file, f"x.{format}"))
    for record, (prompt, best, worst) in zip(found, table, strict=True):
        assert isinstance(record, JudgmentRecord), record
        assert record.messages == prompt
        texts = dict(zip(record.ranks or (), record.answers, strict=True))
        assert (texts[1].text, texts[2].text) == (best, worst)
        if layout == "podium":
            assert (texts[1].model, texts[2].model) == ("imported/m", "imported/n")


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(TURNS, COMPLETION, COMPLETION, st.sampled_from([1.0, 0.5, 0.0, None])).filter(lambda b: b[1] != b[2]),
        min_size=1,
        max_size=3,
    ),
    st.sampled_from(FORMATS),
)
def test_battles_come_back_as_they_were(table: list[Any], format: FileFormat) -> None:
    sent = [
        {
            **ABOUT,
            "prompt_id": "p",
            "prompt": prompt,
            "model_a": "m",
            "model_b": "n",
            "answer_a": first,
            "answer_b": second,
            "score": score,
            "annotator": "ann",
            "tstamp": 1.5e9,
        }
        for prompt, first, second, score in table
    ]
    file = written(list(map(dict, writers.lay_out(sent, "arena"))), format)
    assert readers.guess(file, f"x.{format}") == "arena"
    found = list(readers.read("arena", file, f"x.{format}"))
    ranks = {1.0: (1, 2), 0.5: (1, 1), 0.0: (2, 1), None: None}
    for record, (prompt, first, second, score) in zip(found, table, strict=True):
        assert isinstance(record, JudgmentRecord), record
        assert (record.messages, record.annotator, record.ranks) == (prompt, "ann", ranks[score])
        assert record.answers == (Answer("imported/m", first), Answer("imported/n", second))
        assert str(record.origin) == ABOUT["judgment"]


def test_a_table_opened_in_a_spreadsheet_runs_nothing() -> None:
    said = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "'=x", "''=x", "'tis", "plain", "a=b", "it's"]
    content = b"".join(writers.write([{"text": text} for text in said], "csv"))
    cells = [row["text"] for row in csv.DictReader(io.StringIO(content.decode(), newline=""))]
    assert not [cell for cell in cells if cell[0] in "=+-@\t\r"]
    assert cells[8:] == said[8:]
    back = [row[1]["text"] for row in rows.read(io.BytesIO(content), "x.csv") if not isinstance(row, Rejected)]
    assert back == said


def test_layouts_by_hand() -> None:
    row = {
        **ABOUT,
        "prompt": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello"},
            {"role": "user", "content": "Why?"},
        ],
        "chosen": "So.",
        "rejected": "No.",
    }
    (trl,) = writers.lay_out([row], "trl")
    assert trl == {
        "prompt": row["prompt"],
        "chosen": [{"role": "assistant", "content": "So."}],
        "rejected": [{"role": "assistant", "content": "No."}],
        **ABOUT,
        "strength": 0,
    }
    (dialogue,) = writers.lay_out([row], "hh-rlhf")
    start = "\n\nHuman: Be kind.\n\nHi\n\nAssistant: Hello\n\nHuman: Why?\n\nAssistant: "
    assert dialogue == {
        "chosen": f"{start}So.",
        "rejected": f"{start}No.",
        "split": "train",
        "judgment": ABOUT["judgment"],
    }
    (alone,) = writers.lay_out([{**row, "prompt": row["prompt"][:1]}], "hh-rlhf")
    assert alone["chosen"] == "\n\nHuman: Be kind.\n\nAssistant: So."


def test_no_rows_make_a_file_that_can_be_read() -> None:
    for format in FORMATS:
        assert [row for row in rows.read(written([], format), f"x.{format}") if not isinstance(row, Rejected)] == []


def many() -> Iterator[dict[str, Any]]:
    """So many rows that they cannot be one group; columns that stay empty at first hold something in the end, and one
    that nobody knows holds something else."""
    for place in range(3 * writers.GROUP_ROWS):
        late = place > 2 * writers.GROUP_ROWS
        yield {
            "id": str(place),
            "prompt": [{"role": "user", "content": "Why?"}],
            "strength": 3 if late else None,
            "comment": "late" if late else None,
            "ranks": [1, 2] if late else None,
            "aspects": {f"aspect {place}": [1, 2]} if late else None,
            "standard_error": 0.5 if late else None,
            "unheard_of": ["a list", 1] if late else place,
        }


@pytest.mark.parametrize("format", FORMATS)
def test_files_are_written_piece_by_piece_and_keep_late_values(format: FileFormat) -> None:
    taken = 0

    def counted() -> Iterator[dict[str, Any]]:
        nonlocal taken
        for row in many():
            taken += 1
            yield row

    pieces = writers.write(counted(), format)
    first = next(pieces)
    assert first
    assert taken <= writers.GROUP_ROWS
    content = b"".join([first, *pieces])
    last = list(many())[-1]
    if format == "jsonl":
        assert json.loads(content.splitlines()[-1]) == last
        return
    if format == "csv":
        found = list(csv.DictReader(io.StringIO(content.decode(), newline="")))[-1]
    else:
        found = pq.read_table(io.BytesIO(content)).to_pylist()[-1]
        assert found["prompt"] == last["prompt"]
        assert found["ranks"] == [1, 2]
    assert json.loads(found["aspects"]) == last["aspects"]
    assert json.loads(found["unheard_of"]) == ["a list", 1]
    assert (found["comment"], str(found["strength"]), str(found["standard_error"])) == ("late", "3", "0.5")


def test_a_value_that_its_column_has_no_room_for_is_refused() -> None:
    rows = [{"id": str(place), "active_ms": 1_000} for place in range(3)]
    with pytest.raises(TypeError):
        written([*rows, {"id": "3", "active_ms": "a second"}], "parquet")
    with pytest.raises(TypeError):
        written([*rows, {"id": "3", "active_ms": 0.5}], "parquet")
