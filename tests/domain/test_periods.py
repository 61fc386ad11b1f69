"""Calendar periods: their kind by how long it took, their edges, and no gap between them."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest

from backend.domain.periods import periods


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("first", "last", "labels", "number"),
    [
        ("2026-03-05T10:00", "2026-03-05T11:00", ("2026-03-05", "2026-03-05"), 1),
        ("2026-02-27T23:59", "2026-03-28T00:00", ("2026-02-27", "2026-03-28"), 30),
        ("2026-02-26T23:59", "2026-03-28T00:00", ("2026-W09", "2026-W13"), 5),
        ("2025-12-30T00:00", "2026-03-30T00:00", ("2026-W01", "2026-W14"), 14),
        ("2025-08-01T00:00", "2026-03-30T00:00", ("2025-08", "2026-03"), 8),
        ("2022-02-01T00:00", "2026-03-30T00:00", ("2022-Q1", "2026-Q1"), 17),
        ("2010-02-01T00:00", "2026-03-30T00:00", ("2010", "2026"), 17),
    ],
)
def test_the_kind_that_fits(first: str, last: str, labels: tuple[str, str], number: int) -> None:
    found = periods(at(first), at(last))
    assert (found[0].label, found[-1].label) == labels and len(found) == number
    assert (
        found[0].start.timestamp() <= at(first) and found[-1].start.timestamp() <= at(last) < found[-1].end.timestamp()
    )
    assert all(one.end == then.start for one, then in pairwise(found))


def test_a_day_begins_where_one_is() -> None:
    """Half past eleven in the evening, UTC, is the next day two hours further east."""
    (day,) = periods(at("2026-03-05T23:30"), at("2026-03-05T23:31"), offset_minutes=120)
    assert day.label == "2026-03-06" and day.start.timestamp() == at("2026-03-05T22:00")
