"""How a text looks, apart from what it says: its length and its Markdown marks. Knows nothing of who wrote it.

Longer and more decorated answers win more often than their content explains; as columns of a leaderboard's fit these
numbers take that part out.
"""

import re
from typing import NamedTuple

import numpy as np

from backend.domain.bradley_terry import Floats


class Style(NamedTuple):
    """Counts in one text."""

    length: int
    headings: int
    list_items: int
    emphasis: int
    code: int


_FENCE = re.compile(r"^[ ]{0,3}(```|~~~)", re.MULTILINE)
_HEADING = re.compile(r"^[ ]{0,3}#{1,6}[ \t]", re.MULTILINE)
_ITEM = re.compile(r"^[ \t]{0,12}(?:[-*+]|\d{1,9}[.)])[ \t]", re.MULTILINE)
_BOLD = re.compile(r"\*\*|__")


def style(text: str) -> Style:
    """Length in characters; headings, list items, pairs of bold marks, and blocks of code."""
    return Style(
        length=len(text.strip()),
        headings=len(_HEADING.findall(text)),
        list_items=len(_ITEM.findall(text)),
        emphasis=len(_BOLD.findall(text)) // 2,
        code=len(_FENCE.findall(text)) // 2,
    )


def contrast(a: Floats, b: Floats) -> Floats:
    """How the texts `a` differ from the texts `b`, styles in rows: each count as (a - b) / (a + b), which is -1 to 1,
    and 0 where neither has any."""
    both = a + b
    return np.divide(a - b, both, out=np.zeros(both.shape), where=both > 0)
