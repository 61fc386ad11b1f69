"""Import formats: whole real files counted to the last record, rows by hand, and damage that costs its own line."""

import gzip
import io
import json
import tarfile
import tempfile
import zipfile
from collections import Counter
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.domain import elo
from backend.domain.formats import llmfao, readers, rows
from backend.domain.formats.records import (
    Answer,
    CompletionRecord,
    DemonstrationRecord,
    DocumentRecord,
    JudgmentRecord,
    PromptRecord,
    Record,
    Rejected,
)
from backend.errors import Invalid
from tests.domain.real_data import folder

USER = [{"role": "user", "content": "Why?"}]


def read(format: str, *lines: Any, name: str = "x.jsonl") -> list[Record | Rejected]:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    return list(readers.read(readers.check_format(format), io.BytesIO(text.encode("utf-8", "surrogatepass")), name))


def one(format: str, row: Any) -> Any:
    (record,) = read(format, row)
    return record


# --- real files -----------------------------------------------------------------------------------------------------


def test_a_real_study_is_read_whole_from_folder_zip_and_tar() -> None:
    path = folder("llmfao")
    packed = llmfao.pack(path)
    assert readers.guess(packed, "study.zip") == "llmfao"
    records = list(readers.read("llmfao", packed))
    kinds = Counter(type(record) for record in records)
    assert kinds == {PromptRecord: 19, CompletionRecord: 1133, JudgmentRecord: 8931}
    assert len({record.answer.model for record in records if isinstance(record, CompletionRecord)}) == 70
    votes = [record for record in records if isinstance(record, JudgmentRecord)]
    assert len({vote.annotator for vote in votes}) == 124
    assert len({vote.messages[0]["content"] for vote in votes}) == 13
    # In the order of the file and with the sides as shown: Elo comes out to the digit.
    ratings: dict[str, float] = {}
    for vote in votes:
        assert vote.ranks
        elo.fold_judgment(ratings, [answer.model for answer in vote.answers], vote.ranks, 4)
    assert ratings["imported/GPT 4"] == pytest.approx(1095.593548, abs=1e-6)
    assert ratings["imported/command"] == pytest.approx(1094.545052, abs=1e-6)

    tarred = io.BytesIO()
    with tarfile.open(fileobj=tarred, mode="w:gz") as archive:
        archive.add(path, "study")
    tarred.seek(0)
    assert readers.guess(tarred, "study.tar.gz") == "llmfao"
    assert list(readers.read("llmfao", tarred)) == records


def test_real_dialogues_are_read_whole() -> None:
    path = folder("hh-rlhf") / "harmless-base-part1.jsonl.gz"
    with path.open("rb") as file:
        assert readers.guess(file, path.name) == "hh-rlhf"
        records = list(readers.read("hh-rlhf", file, path.name))
    assert Counter(type(record) for record in records) == {JudgmentRecord: 1156}
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line, record in zip(lines, records, strict=True):
            assert isinstance(record, JudgmentRecord)
            row = json.loads(line)
            assert record.messages[0]["role"] == "user"
            assert record.messages[-1]["role"] == "user"
            assert record.ranks
            best, worst = sorted(range(2), key=record.ranks.__getitem__)
            assert row["chosen"].rstrip().endswith(record.answers[best].text)
            assert row["rejected"].rstrip().endswith(record.answers[worst].text)
            spoken = "".join(message["content"] for message in record.messages)
            assert "\n\nHuman:" not in spoken
            assert "\n\nAssistant:" not in spoken
    left = sum(record.ranks == (1, 2) for record in records if isinstance(record, JudgmentRecord))
    assert left / 1156 == pytest.approx(0.5, abs=0.05)  # chosen is not always on the left


# --- each format by hand --------------------------------------------------------------------------------------------


def test_prompts_documents_demonstrations_and_completions_by_hand() -> None:
    assert one("prompts", {"prompt": "Why?"}) == PromptRecord(1, USER)
    assert one("prompts", {"messages": USER}) == PromptRecord(1, USER)
    assert one("documents", {"text": "Once."}) == DocumentRecord(1, "Once.")
    shown = DemonstrationRecord(1, USER, "So.")
    assert one("demonstrations", {"prompt": "Why?", "completion": "So."}) == shown
    assert one("demonstrations", {"messages": [*USER, {"role": "assistant", "content": "So."}]}) == shown
    answered = CompletionRecord(1, USER, Answer("imported/m 1", "So."))
    assert one("completions", {"prompt": "Why?", "model": "m 1", "completion": "So."}) == answered
    assert one("completions", {"prompt": USER, "model": "imported/m 1", "completion": "So."}) == answered


def pair(record: Any) -> tuple[str, str]:
    """Chosen and rejected of a pair, whichever side they were put on."""
    assert isinstance(record, JudgmentRecord), record
    assert record.ranks in ((1, 2), (2, 1))
    answers = [answer.text for answer in record.answers]
    return (answers[0], answers[1]) if record.ranks == (1, 2) else (answers[1], answers[0])


def said(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


@pytest.mark.parametrize(
    ("row", "prompt", "chosen", "rejected"),
    [
        ({"prompt": "Why?", "chosen": "So.", "rejected": "No."}, "Why?", "So.", "No."),
        ({"prompt": USER, "chosen": said("So."), "rejected": said("No.")}, "Why?", "So.", "No."),
        ({"chosen": USER + said("So."), "rejected": USER + said("No.")}, "Why?", "So.", "No."),
        ({"prompt": USER, "chosen": USER + said("So."), "rejected": USER + said("No.")}, "Why?", "So.", "No."),
        ({"chosen": "The sky is blue.", "rejected": "The sky is black."}, "The sky is", " blue.", " black."),
    ],
)
def test_preferences_with_explicit_and_implicit_prompts(row: Any, prompt: str, chosen: str, rejected: str) -> None:
    for format in ("pairs", "trl"):
        record = one(format, row)
        assert record.messages == [{"role": "user", "content": prompt}]
        assert pair(record) == (chosen, rejected)


def test_dialogues_that_part_early_are_compared_from_there() -> None:
    record = one(
        "hh-rlhf",
        {
            "chosen": "\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant: d",
            "rejected": "\n\nHuman: a\n\nAssistant: x",
        },
    )
    assert record.messages == [{"role": "user", "content": "a"}]
    assert pair(record) == ("b\n\nHuman: c\n\nAssistant: d", "x")


def test_judgments_by_hand() -> None:
    record = one(
        "judgments",
        {
            "prompt": "Why?",
            "completions": [{"model": "m", "text": "So."}, {"model": "n", "text": "No."}, "Eh."],
            "ranks": [1, 3, 3],
            "annotator": 7,
            "strength": 2,
            "aspects": {"honest": [2, 1, 1]},
            "comment": "hm",
            "active_ms": 1200,
        },
    )
    answers = (Answer("imported/m", "So."), Answer("imported/n", "No."), Answer("imported/unknown", "Eh."))
    assert record == JudgmentRecord(1, USER, answers, (1, 2, 2), "7", 2, {"honest": (2, 1, 1)}, "hm", 1200)
    two = {"prompt": "Why?", "completions": ["So.", "No."]}
    assert one("judgments", {**two, "winner": "tie"}).ranks == (1, 1)
    assert one("judgments", {**two, "winner": "B"}).ranks == (2, 1)
    assert one("judgments", {**two, "ranks": None, "none_acceptable": True}).ranks is None


@pytest.mark.parametrize(
    ("format", "row", "named"),
    [
        ("prompts", {"prompt": ""}, "prompt"),
        ("prompts", {"prompt": 7}, "prompt"),
        ("prompts", {"prompt": USER + said("So.")}, "prompt"),
        ("prompts", {"messages": [{"role": "robot", "content": "x"}]}, "messages"),
        ("prompts", {"messages": [{"role": ["user"], "content": "x"}]}, "messages"),
        ("prompts", {"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "messages"),
        ("prompts", {"prompt": "a\0b"}, "prompt"),
        ("prompts", '{"prompt": "\\ud800"}', "prompt"),
        ("completions", {"prompt": "Why?", "completion": "So."}, "model"),
        ("completions", {"prompt": "Why?", "model": "m"}, "completion"),
        ("completions", {"prompt": "Why?", "model": "m" * 201, "completion": "x"}, "model"),
        ("completions", '{"prompt": "Why?", "model": "\\udfff", "completion": "x"}', "model"),
        ("pairs", {"prompt": "Why?", "chosen": "So."}, "rejected"),
        ("pairs", {"prompt": "Why?", "chosen": "So.", "rejected": "So."}, "same"),
        ("pairs", {"chosen": "blue", "rejected": "black"}, "prompt"),
        ("trl", {"prompt": USER, "chosen": USER, "rejected": said("No.")}, "chosen"),
        ("hh-rlhf", {"chosen": "a", "rejected": "b"}, "chosen"),
        ("judgments", {"prompt": "Why?", "completions": ["a"], "ranks": [1]}, "completions"),
        ("judgments", {"prompt": "Why?", "completions": ["a", "a"], "ranks": [1, 2]}, "completions"),
        ("judgments", {"prompt": "Why?", "completions": ["a", "b"], "ranks": [1]}, "ranks"),
        ("judgments", {"prompt": "Why?", "completions": ["a", "b"], "ranks": [1, 2.5]}, "ranks"),
        ("judgments", {"prompt": "Why?", "completions": ["a", "b"], "ranks": [True, 2]}, "ranks"),
        ("judgments", {"prompt": "Why?", "completions": ["a", "b"], "winner": "c"}, "winner"),
        ("judgments", {"prompt": "Why?", "completions": ["a", "b"]}, "ranks"),
        ("judgments", {"prompt": "Why?", "completions": ["a", "b"], "ranks": [1, 2], "strength": "²"}, "strength"),
        ("judgments", '{"prompt": "Why?", "completions": ["a", "b"], "ranks": [1, 2], "strength": 1e999}', "strength"),
        ("judgments", {"prompt": "Why?", "completions": ["a", "b"], "ranks": [1, 2], "active_ms": -1}, "active_ms"),
        ("judgments", {"prompt": "Why?", "completions": ["a", "b"], "ranks": [1, 2], "aspects": {"x": [1]}}, "x"),
        ("prompts", "[1, 2", "JSON"),
        ("prompts", "7", "object"),
        ("prompts", '{"prompt": NaN}', "JSON"),
        ("prompts", '{"n": ' + "9" * 5000 + "}", "JSON"),
        ("prompts", '{"prompt": ' + "[" * 100_000, "JSON"),
    ],
)
def test_a_bad_line_names_what_is_wrong_and_stops_nothing(format: str, row: Any, named: str) -> None:
    good = {"prompts": {"prompt": "ok"}, "completions": {"prompt": "ok", "model": "m", "completion": "c"}}
    fine = good.get(
        format, {"prompt": "ok", "chosen": "a", "rejected": "b", "completions": ["a", "b"], "ranks": [1, 2]}
    )
    if format == "hh-rlhf":
        fine = {"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "\n\nHuman: a\n\nAssistant: c"}
    first, wrong, last = read(format, fine, row, fine)
    assert not isinstance(first, Rejected)
    assert not isinstance(last, Rejected)
    assert isinstance(wrong, Rejected)
    assert wrong.line == 2
    assert named in wrong.reason
    wrong.reason.encode()  # may be sent on


# --- files ----------------------------------------------------------------------------------------------------------


def lines(content: bytes, name: str = "x.jsonl", format: str = "prompts") -> list[tuple[int, Any]]:
    found = readers.read(readers.check_format(format), io.BytesIO(content), name)
    return [
        (record.line, record.reason if isinstance(record, Rejected) else record.messages[0]["content"])
        for record in found
        if isinstance(record, Rejected | PromptRecord)
    ]


def test_marks_line_ends_blank_lines_and_arrays() -> None:
    content = '\ufeff{"prompt": "a"}\r\n\r\n{"prompt": "ü"}'.encode()
    assert lines(content) == [(1, "a"), (3, "ü")]
    assert lines(gzip.compress(content), "x.jsonl.gz") == [(1, "a"), (3, "ü")]
    assert lines(gzip.compress(content), "no name helps") == [(1, "a"), (3, "ü")]
    assert lines(b'\xef\xbb\xbf [\n{"prompt": "a"},\n {"prompt": "b"}, 3]') == [
        (1, "a"),
        (2, "b"),
        (3, "an entry is one JSON object"),
    ]
    assert lines(b"") == []


def test_temporary_files_are_read_as_they_come_from_a_request() -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"prompt": ["a"]}), sink)
    plain = b'{"prompt": "a"}'
    for content in (plain, gzip.compress(plain), b"prompt\na\n", sink.getvalue(), gzip.compress(sink.getvalue())):
        for memory in (1, 1 << 20):
            with tempfile.SpooledTemporaryFile(max_size=memory) as file:
                file.write(content)
                file.seek(0)
                assert readers.guess(file, "") == "prompts"
                (record,) = readers.read("prompts", file, "")
                assert isinstance(record, PromptRecord)
                assert record.messages == [{"role": "user", "content": "a"}]


def test_bytes_that_are_not_text_cost_their_line() -> None:
    assert [line for line, _ in lines(b'{"prompt": "\xff"}\n{"prompt": "b"}\n')] == [1, 2]
    assert "UTF-8" in lines(b'{"prompt": "\xff"}\n')[0][1]
    table = b'prompt,n\nfirst,1\nbad \xff,2\n"two\nlines",3\n"spoilt \n\xff\n by one",4\nlast,5\n'
    found = lines(table, "x.csv")
    assert [line for line, _ in found] == [2, 3, 4, 7, 9]
    assert [text for _, text in found if "UTF-8" not in text] == ["first", "two\nlines", "last"]


def test_lines_of_a_table_that_do_not_fit_the_header() -> None:
    found = lines(b'prompt,n\na,1\nb\nc,3,4\n"d"x,4\n\ne,5\n', "x.csv")
    assert [line for line, _ in found] == [2, 3, 4, 5, 7]
    assert [text for _, text in found][::4] == ["a", "e"]
    assert lines(b"prompt\tn\na\t1\n", "x.tsv") == [(2, "a")]
    messages = json.dumps(USER).replace('"', '""')
    assert lines(f'prompt\n"{messages}"\n'.encode(), "x.csv") == [(2, "Why?")]
    for header in (b"prompt,prompt\na,b\n", b"\xff\xfep\0r\0\na,b\n", b'"prompt\n'):
        with pytest.raises(Invalid):
            lines(header, "x.csv")


def test_lines_too_long_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MAX_LINE", 64)
    content = b'{"prompt": "a"}\n{"prompt": "' + b"x" * 300 + b'"}\n{"prompt": "b"}\n'
    assert [line for line, _ in lines(content)] == [1, 2, 3]
    assert lines(content)[2] == (3, "b")
    assert [line for line, _ in lines(b"prompt\na\n" + b"x" * 300 + b"\nb\n", "x.csv")] == [2, 3, 4]


def test_files_that_break_off() -> None:
    whole = gzip.compress(b'{"prompt": "a"}\n' * 5_000)
    found = list(readers.read("prompts", io.BytesIO(whole[: len(whole) // 2]), "x.jsonl.gz"))
    assert isinstance(found[-1], Rejected)
    assert "breaks off" in found[-1].reason
    assert len(found) > 1
    with pytest.raises(Invalid):
        lines(b"\x1f\x8bnonsense", "x.gz")
    with pytest.raises(Invalid):
        lines(b"PAR1 nonsense", "x.parquet")
    assert len(lines(b"[1, 2", "x.json")) == 3
    with pytest.raises(Invalid):
        list(readers.read("llmfao", io.BytesIO(b"nonsense")))


def test_parquet_plain_and_gzipped_and_with_a_value_that_cannot_be_read() -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"prompt": [USER, USER]}), sink)
    assert lines(sink.getvalue(), "x.parquet") == [(1, "Why?"), (2, "Why?")]
    assert lines(gzip.compress(sink.getvalue()), "x.parquet.gz") == [(1, "Why?"), (2, "Why?")]
    assert readers.guess(io.BytesIO(sink.getvalue()), "x.parquet") == "prompts"
    beyond = pa.array([0, 2**60], pa.int64()).cast(pa.timestamp("ms"))
    sink = io.BytesIO()
    pq.write_table(pa.table({"prompt": ["a", "b"], "at": beyond}), sink)
    assert [line for line, _ in lines(sink.getvalue(), "x.parquet")] == [1, 2]


def archive_of(**files: str) -> io.BytesIO:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in llmfao.FILES:
            archive.writestr(name, files[name.split(".")[0].replace("-", "_")])
    packed.seek(0)
    return packed


def test_bad_lines_of_a_study_are_told_with_their_file() -> None:
    found = list(
        readers.read(
            "llmfao",
            archive_of(
                models='{"id": 1, "name": "m"}\n{"id": 2, "name": "n"}\n{"id": 3}',
                prompts='{"id": 1, "text": "Why?"}\nnot json',
                results='{"prompt": 1, "model": 1, "result": "So."}\n{"prompt": 1, "model": 2, "result": "No."}\n'
                '{"prompt": 9, "model": 1, "result": "x"}\n{"prompt": 1, "model": 2}',
                crowd_comparisons="id,prompt,worker,winner,left,right\n"
                "0,1,5,left,m,n\n1,1,5,best,m,n\n2,1,5,tie,m,z\n3,1,5,tie,m,m\n4,1,5,right,n,m\n",
            ),
        )
    )
    assert [type(record).__name__ for record in found if not isinstance(record, Rejected)] == [
        "PromptRecord",
        "CompletionRecord",
        "CompletionRecord",
        "JudgmentRecord",
        "JudgmentRecord",
    ]
    assert [(record.line, record.reason.split(":")[0]) for record in found if isinstance(record, Rejected)] == [
        (3, "models.jsonl"),
        (2, "prompts.jsonl"),
        (3, "results.jsonl"),
        (4, "results.jsonl"),
        (3, "crowd-comparisons.csv"),
        (4, "crowd-comparisons.csv"),
        (5, "crowd-comparisons.csv"),
    ]


def test_a_folder_that_is_no_study_is_refused(tmp_path: Any) -> None:
    with pytest.raises(Invalid, match=r"models\.jsonl"):
        llmfao.pack(tmp_path)


# --- guessing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "format"),
    [
        ({"prompt": "a"}, "prompts"),
        ({"messages": USER}, "prompts"),
        ({"messages": USER + said("So.")}, "demonstrations"),
        ({"text": "a"}, "documents"),
        ({"prompt": "a", "completion": "b"}, "demonstrations"),
        ({"prompt": "a", "completion": "b", "model": "c"}, "completions"),
        ({"prompt": "a", "chosen": "b", "rejected": "c"}, "pairs"),
        ({"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "x"}, "hh-rlhf"),
        ({"prompt": "a", "completions": ["b", "c"], "ranks": [1, 2]}, "judgments"),
    ],
)
def test_the_format_is_told_from_the_first_row_and_reads_it(row: Any, format: str) -> None:
    file = io.BytesIO(b"broken\n" + json.dumps(row).encode())
    file.seek(0)
    assert readers.guess(file, "x.jsonl") == format
    assert file.tell() == 0


def test_what_no_format_has_is_refused() -> None:
    for content in (b"", b"\n\n", b"nonsense\n", b'{"\\ud800": 1}', b"[]"):
        with pytest.raises(Invalid) as refused:
            readers.guess(io.BytesIO(content), "x.jsonl")
        refused.value.message.encode()
    with pytest.raises(Invalid, match="not a format"):
        readers.check_format("xml")


# --- anything at all ------------------------------------------------------------------------------------------------

FIELDS = st.sampled_from(
    [
        "prompt",
        "messages",
        "text",
        "completion",
        "model",
        "chosen",
        "rejected",
        "completions",
        "ranks",
        "winner",
        "none_acceptable",
        "annotator",
        "strength",
        "aspects",
        "comment",
        "active_ms",
        "completion_a",
        "completion_b",
        "role",
        "content",
    ]
)
JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        ["user", "assistant", "a", "tie", "\n\nHuman: a\n\nAssistant: b", '[{"role": 1}]', "[1, 2]", "\0"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150)
@given(st.lists(st.dictionaries(FIELDS, JUNK, min_size=1, max_size=6), min_size=1, max_size=4))
def test_no_row_however_wrong_raises(junk: list[dict[str, Any]]) -> None:
    content = "\n".join(json.dumps(row) for row in junk).encode()
    for format in readers.FORMATS:
        if format != "llmfao":
            records = list(readers.read(readers.check_format(format), io.BytesIO(content), "x.jsonl"))
            assert [record.line for record in records] == list(range(1, len(junk) + 1))


@settings(max_examples=150)
@given(st.binary(max_size=200), st.sampled_from(["x.jsonl", "x.csv", "x.tsv", "x.parquet", "x.gz", ""]), st.data())
def test_no_bytes_however_wrong_raise_anything_else(content: bytes, name: str, data: st.DataObject) -> None:
    before = data.draw(
        st.sampled_from([b"", b"\x1f\x8b", b"PAR1", b"PK\x03\x04", b"[", b'{"prompt": "a"}\n', b"prompt\n"])
    )
    for read_it in (
        lambda file: [readers.guess(file, name)],
        lambda file: readers.read("prompts", file, name),
        lambda file: readers.read("llmfao", file, name),
    ):
        try:
            for _ in read_it(io.BytesIO(before + content)):
                pass
        except Invalid as refused:
            refused.message.encode("utf-8", "strict")
