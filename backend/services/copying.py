"""Many rows into a table at once, by PostgreSQL's COPY. Knows no noun."""

from collections.abc import Callable, Mapping, Sequence
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
    lines = map("\t".join, zip(*(_cells([row[name] for row in rows]) for name in rows[0]), strict=True))
    with driver_errors(f"COPY {into}"), connection.cursor() as cursor, cursor.copy(statement) as copying:
        while piece := list(islice(lines, LINES_AT_ONCE)):
            copying.write(("\n".join(piece) + "\n").encode())


def _cells(values: list[Any]) -> list[str]:
    """The values of a column as COPY reads them. Many hold the same everywhere."""
    if values[0] is values[-1] and len(set(map(id, values))) == 1:
        return [_cell(values[0])] * len(values)
    return [_CELLS[type(value)](value) for value in values]


def _cell(value: Any) -> str:
    return _CELLS[type(value)](value)


def _text(value: str) -> str:
    # The backslash first: the others bring their own.
    return value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def _array(values: Sequence[int | UUID]) -> str:
    return f"{{{','.join([_cell(value) for value in values])}}}"


_CELLS: dict[type, Callable[[Any], str]] = {
    type(None): lambda value: "\\N",
    str: _text,
    bool: lambda value: "t" if value else "f",
    int: str,
    UUID: lambda value: f"{value.int:032x}",
    list: _array,
    tuple: _array,
}
