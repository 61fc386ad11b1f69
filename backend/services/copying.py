"""Many rows into a table at once, by PostgreSQL's COPY. Knows no noun."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any
from uuid import UUID

from psycopg import sql
from sqlalchemy.orm import Session

from backend.database import driver_errors

LINES_AT_ONCE = 500


def copy(session: Session, into: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Append rows, all with the same keys, to a table by PostgreSQL's COPY; what they leave out gets the database's own
    defaults. JSON is given as text."""
    if not rows:
        return
    columns = sql.SQL(", ").join(map(sql.Identifier, rows[0]))
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(into), columns)
    session.flush()
    connection = session.connection().connection.driver_connection
    assert connection is not None  # the session is in a transaction
    lines = ("\t".join(map(_cell, row.values())) + "\n" for row in rows)
    with driver_errors(f"COPY {into}"), connection.cursor() as cursor, cursor.copy(statement) as copying:
        while piece := "".join(islice(lines, LINES_AT_ONCE)):
            copying.write(piece.encode())


def _cell(value: Any) -> str:
    """A value as COPY reads it."""
    if value is None:
        return "\\N"
    if isinstance(value, str):
        # The backslash first: the others bring their own.
        return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, int | UUID):
        return str(value)
    return _array(value)


def _array(values: Iterable[int | UUID]) -> str:
    return f"{{{','.join(map(str, values))}}}"
