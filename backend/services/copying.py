"""Many rows into a table at once, by PostgreSQL's COPY. Knows no noun."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import sql
from sqlalchemy.orm import Session

from backend.database import driver_errors


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
    with driver_errors(f"COPY {into}"), connection.cursor() as cursor, cursor.copy(statement) as copying:
        for row in rows:
            # The driver writes a list as an array, and a tuple as a row.
            copying.write_row([list(value) if isinstance(value, tuple) else value for value in row.values()])
