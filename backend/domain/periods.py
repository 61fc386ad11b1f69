"""Calendar periods to tell a course over time in: days, weeks, months, quarters or years, some 5 to 30 of them.

Times are seconds since 1970 in UTC; `offset_minutes` says where the day begins.
"""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

MOST = 30


class Period(NamedTuple):
    """From `start` up to, but not with, `end`."""

    label: str
    start: datetime
    end: datetime


def periods(first: float, last: float, offset_minutes: int = 0) -> list[Period]:
    """All periods from the one with `first` to the one with `last`, of the shortest kind that needs no more than 30."""
    offset = timedelta(minutes=offset_minutes)
    begin = datetime.fromtimestamp(first, UTC) + offset
    end = datetime.fromtimestamp(last, UTC) + offset
    for months, days in ((0, 1), (0, 7), (1, 0), (3, 0), (12, 0)):
        found = [_start(begin, months, days)]
        while found[-1] <= end and len(found) <= MOST + 1:
            found.append(_next(found[-1], months, days))
        if len(found) <= MOST + 1:
            break
    return [Period(_label(start, months, days), start - offset, end - offset) for start, end in pairwise(found)]


def _start(moment: datetime, months: int, days: int) -> datetime:
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if days:
        return day - timedelta(days=day.weekday() if days == 7 else 0)
    return day.replace(day=1, month=(day.month - 1) // months * months + 1)


def _next(start: datetime, months: int, days: int) -> datetime:
    if days:
        return start + timedelta(days=days)
    month = start.month - 1 + months
    return start.replace(year=start.year + month // 12, month=month % 12 + 1)


def _label(start: datetime, months: int, days: int) -> str:
    if days == 7:
        year, week, _ = start.isocalendar()
        return f"{year}-W{week:02d}"
    if days:
        return f"{start:%Y-%m-%d}"
    if months == 3:
        return f"{start.year}-Q{(start.month + 2) // 3}"
    return f"{start:%Y-%m}" if months == 1 else f"{start.year}"
