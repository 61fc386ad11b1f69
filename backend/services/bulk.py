"""Many values at once: a table of them in one statement, or columns of them out of the database and into it as arrays,
with no object for each. Knows no noun."""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ARRAY, BigInteger, BindParameter, Float, Integer, Select, Uuid, bindparam, column, func
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.sql.selectable import TableValuedAlias
from sqlalchemy.types import TypeEngine, UserDefinedType

from backend.database import driver_errors


def table(columns: Mapping[str, tuple[TypeEngine[Any], Sequence[Any]]]) -> TableValuedAlias:
    """A table of these columns, each given by its type and its values, all of the same length."""
    arrays = [_array(kind, values) for kind, values in columns.values()]
    shape = [column(name, kind) for name, (kind, _) in columns.items()]
    return func.unnest(*arrays).table_valued(*shape).render_derived()


class _Written(UserDefinedType[str]):
    """An array as PostgreSQL writes it. A list would be looked at by the driver piece by piece."""

    cache_ok = True
    render_bind_cast = True

    def __init__(self, of: str) -> None:
        self.of = of

    def get_col_spec(self, **_: Any) -> str:
        return f"{self.of}[]"


def _array(kind: TypeEngine[Any], values: Sequence[Any]) -> BindParameter[Any]:
    if isinstance(kind, Uuid):
        return bindparam(None, f"{{{','.join([f'{value.int:032x}' for value in values])}}}", type_=_Written("UUID"))
    if isinstance(kind, BigInteger):
        return bindparam(None, f"{{{','.join(map(str, values))}}}", type_=_Written("BIGINT"))
    return bindparam(None, list(values), type_=ARRAY(kind))


Columns = dict[str, NDArray[Any]]
Column = NDArray[Any] | uuid.UUID | str

# Of PostgreSQL's binary COPY: what stands before the first row and behind the last, and how much goes at a time.
_HEADER, _TRAILER = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
_BYTES_AT_ONCE, _ROWS_AT_ONCE = 8 * 1024 * 1024, 50_000
_SIZE = "size of "
_AS_SENT: tuple[tuple[type[TypeEngine[Any]], str], ...] = (
    (BigInteger, ">i8"),
    (Integer, ">i4"),
    (Float, ">f8"),
    (Uuid, ">u8"),
)


def _row(kinds: Mapping[str, TypeEngine[Any] | bytes]) -> np.dtype[Any]:
    """How a row is sent: the number of its fields, then the size and the value of each."""
    row: list[tuple[str, str] | tuple[str, str, int]] = [("fields", ">i2")]
    for name, kind in kinds.items():
        sent = f"S{len(kind)}" if isinstance(kind, bytes) else next(as_ for of, as_ in _AS_SENT if isinstance(kind, of))
        row += [(_SIZE + name, ">i4"), (name, sent, 2) if sent == ">u8" else (name, sent)]
    return np.dtype(row)


def read(
    session: Session,
    statement: Select[*tuple[Any, ...]],
    names: Sequence[str],
    told: Callable[[Columns], Columns] = lambda piece: piece,
) -> Columns:
    """The rows of a statement in columns of these names: whole numbers, fractions, and UUIDs by their halves (n, 2),
    see `Ids`. None of them may be null. Some ten thousands at a time go through `told` and are then put together.

    It is called from here, and no iterator is handed out: with one that somebody leaves half read, the connection could
    not even be rolled back, and would wait for ever.
    """
    session.flush()
    connection = session.connection()
    compiled = statement.compile(dialect=connection.dialect, compile_kwargs={"render_postcompile": True})
    row = _row({name: chosen.type for name, chosen in zip(names, statement.selected_columns, strict=True)})
    cursor: Any = connection.connection.cursor()
    pieces = []
    out = f"COPY ({compiled}) TO STDOUT (FORMAT binary)"
    with driver_errors(out), cursor, cursor.copy(out, compiled.params) as sent:
        waiting = bytearray()
        skip = len(_HEADER)
        for piece in sent:
            waiting += piece
            if len(waiting) >= _BYTES_AT_ONCE:
                rows = (len(waiting) - skip) // row.itemsize
                pieces.append(told(_columns(waiting, row, rows, skip, names)))
                del waiting[: skip + rows * row.itemsize]
                skip = 0
        rows = (len(waiting) - skip - len(_TRAILER)) // row.itemsize
        pieces.append(told(_columns(waiting, row, rows, skip, names)))
    return whole(pieces)


def write(
    session: Session, table: type[DeclarativeBase], columns: Mapping[str, NDArray[Any] | uuid.UUID | str]
) -> None:
    """Add rows, given in columns as `read` gives them; a single UUID or text is the same in all rows."""
    session.flush()
    number = max(len(column) for column in columns.values() if isinstance(column, np.ndarray))
    kinds = {
        name: column.encode() if isinstance(column, str) else table.__table__.c[name].type
        for name, column in columns.items()
    }
    row = _row(kinds)
    values = {name: _value(column) for name, column in columns.items()}
    into = f"COPY {table.__tablename__} ({', '.join(columns)}) FROM STDIN (FORMAT binary)"
    cursor: Any = session.connection().connection.cursor()
    with driver_errors(into), cursor, cursor.copy(into) as sent:
        sent.write(_HEADER)
        for start in range(0, number, _ROWS_AT_ONCE):
            rows = np.empty(min(_ROWS_AT_ONCE, number - start), row)
            rows["fields"] = len(columns)
            for name, value in values.items():
                rows[_SIZE + name] = row[name].itemsize
                rows[name] = value[start : start + len(rows)] if isinstance(columns[name], np.ndarray) else value
            sent.write(rows.tobytes())
        sent.write(_TRAILER)


def _value(column: Column) -> Any:
    if isinstance(column, uuid.UUID):
        return np.array(divmod(column.int, 2**64), np.uint64)
    return column.encode() if isinstance(column, str) else column


def whole(pieces: Sequence[Columns]) -> Columns:
    """The pieces put together."""
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


def _columns(data: bytearray, shape: np.dtype[Any], rows: int, skip: int, names: Sequence[str]) -> Columns:
    table = np.frombuffer(bytes(data[skip : skip + rows * shape.itemsize]), shape)
    for name in names:
        if (table[_SIZE + name] != shape[name].itemsize).any():
            raise TypeError(f"{name} is null somewhere, or of another type than told")
    return {name: table[name].astype(table[name].dtype.newbyteorder("=")) for name in names}


class Ids(Sequence[uuid.UUID]):
    """UUIDs kept as two numbers each (n, 2), the halves; an object is made of one when it is looked at."""

    def __init__(self, halves: NDArray[np.uint64]) -> None:
        self.halves = halves

    @overload
    def __getitem__(self, place: int) -> uuid.UUID: ...
    @overload
    def __getitem__(self, place: slice) -> "Ids": ...
    def __getitem__(self, place: int | slice) -> "uuid.UUID | Ids":
        if isinstance(place, slice):
            return Ids(self.halves[place])
        return _uuid(*self.halves[place].tolist())

    def __len__(self) -> int:
        return len(self.halves)

    def __iter__(self) -> Iterator[uuid.UUID]:
        return (_uuid(high, low) for high, low in self.halves.tolist())

    @classmethod
    def none(cls) -> "Ids":
        return cls(np.zeros((0, 2), np.uint64))

    def at(self, places: NDArray[np.integer[Any]]) -> "Ids":
        """Those at these places."""
        return Ids(self.halves[places])

    def find(self, halves: NDArray[np.uint64]) -> NDArray[np.intp]:
        """Where each of these stands; all must be there, and none of them twice."""
        odd, order, keys = self._index
        place = np.searchsorted(keys, _keys(halves, odd))
        found = order[np.minimum(place, len(order) - 1)]
        if (self.halves[found] != halves).any():
            raise KeyError("an id is not among those known")
        return found

    @cached_property
    def _index(self) -> tuple[int, NDArray[np.intp], NDArray[np.uint64]]:
        for odd in _ODD:
            keys = _keys(self.halves, odd)
            order = np.argsort(keys)
            keys = keys[order]
            if (keys[1:] != keys[:-1]).all():
                break
        return odd, order, keys

    @classmethod
    def numbered(cls, halves: NDArray[np.uint64]) -> "tuple[Ids, NDArray[np.intp]]":
        """The different ones in the order in which they first appear, and the number of each."""
        if not len(halves):
            return cls(halves), np.zeros(0, np.intp)
        for odd in _ODD:
            _, first, number = np.unique(_keys(halves, odd), return_index=True, return_inverse=True)
            if (halves[first][number] == halves).all():
                break
        order = np.argsort(first)
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        return cls(halves[first[order]]), place[number]


# One number says which id it is, as long as no two have the same: one in ten million times a million ids do, and then
# another way of mixing the halves tells them apart.
_ODD = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0xD6E8FEB86659FD93)


def _keys(halves: NDArray[np.uint64], odd: int) -> NDArray[np.uint64]:
    keys: NDArray[np.uint64] = halves[:, 0] ^ (halves[:, 1] * np.uint64(odd))
    return keys


def _uuid(high: int, low: int) -> uuid.UUID:
    return uuid.UUID(int=high << 64 | low)
