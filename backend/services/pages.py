"""Keyset pages: a stable slice of a long list, found by an index instead of by counting. Knows no noun.

The cursor is opaque to clients: it holds the key of the last row they were given.
"""

import base64
import binascii
import uuid
from typing import Any, TypeVar

from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute, Session

from backend.errors import Invalid

T = TypeVar("T")
DEFAULT_LIMIT = 50


def paginate(
    session: Session,
    query: Select[T],
    *,
    key: InstrumentedAttribute[Any],
    after: str | None = None,
    limit: int = DEFAULT_LIMIT,
    newest_first: bool = True,
) -> tuple[list[T], str | None]:
    """One page of a query of one entity (or column), and the cursor of the next page if there is one.

    `key` must be unique and indexed (ids are time-ordered). The query must not be ordered already.
    """
    rows, cursor = paginate_rows(session, query, key=key, after=after, limit=limit, newest_first=newest_first)
    return [row[0] for row in rows], cursor


def paginate_rows(
    session: Session,
    query: Select[*tuple[Any, ...]],
    *,
    key: InstrumentedAttribute[Any],
    after: str | None = None,
    limit: int = DEFAULT_LIMIT,
    newest_first: bool = True,
) -> tuple[list[Any], str | None]:
    """As `paginate` for a query of several columns: rows, each with the key appended as its last column."""
    if after is not None:
        last = decode_cursor(after, key.type.python_type)
        query = query.where(key < last if newest_first else key > last)
    query = query.add_columns(key.label("page_key")).order_by(key.desc() if newest_first else key.asc())
    rows = list(session.execute(query.limit(limit + 1)))
    if len(rows) <= limit:
        return rows, None
    return rows[:limit], encode_cursor(rows[limit - 1][-1])


def encode_cursor(key: uuid.UUID | int) -> str:
    """The cursor that continues after the row with this key."""
    return base64.urlsafe_b64encode(str(key).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, kind: type) -> uuid.UUID | int:
    """The key in a cursor. Raises Invalid."""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        value: uuid.UUID | int = uuid.UUID(text) if kind is uuid.UUID else int(text)
    except (binascii.Error, UnicodeError, ValueError):
        value = -1
    if isinstance(value, int) and not 0 <= value < 2**63:
        raise Invalid(
            "after is not a cursor of this list; take it from `next` of the page before.",
            "after",
        )
    return value
