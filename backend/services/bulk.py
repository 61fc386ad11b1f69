"""Many values at once: a table of them in one statement, or columns of them out of the database as arrays, with no
object for each. Knows no noun."""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ARRAY, BigInteger, Float, Integer, Select, Uuid, bindparam, column, func
from sqlalchemy.orm import Session
from sqlalchemy.sql.selectable import TableValuedAlias
from sqlalchemy.types import TypeEngine


def table(columns: Mapping[str, tuple[TypeEngine[Any], Sequence[Any]]]) -> TableValuedAlias:
    """A table of these columns, each given by its type and its values, all of the same length."""
    arrays = [bindparam(None, list(values), type_=ARRAY(kind)) for kind, values in columns.values()]
    shape = [column(name, kind) for name, (kind, _) in columns.items()]
    return func.unnest(*arrays).table_valued(*shape).render_derived()


Columns = dict[str, NDArray[Any]]

# Of PostgreSQL's binary COPY: what stands before the first row, and how much is taken at a time.
_HEADER, _AT_ONCE = 19, 8 * 1024 * 1024
_SIZE = "size of "
_AS_SENT: tuple[tuple[type[TypeEngine[Any]], str], ...] = (
    (BigInteger, ">i8"),
    (Integer, ">i4"),
    (Float, ">f8"),
    (Uuid, ">u8"),
)


def read(session: Session, statement: Select[*tuple[Any, ...]], names: Sequence[str]) -> Iterator[Columns]:
    """The rows of a statement in columns of these names, some ten thousands at a time: whole numbers, fractions, and
    UUIDs by their halves (n, 2), see `Ids`. None of them may be null."""
    session.flush()
    connection = session.connection()
    compiled = statement.compile(dialect=connection.dialect, compile_kwargs={"render_postcompile": True})
    row: list[tuple[str, str] | tuple[str, str, int]] = [("fields", ">i2")]
    for name, chosen in zip(names, statement.selected_columns, strict=True):
        kind = next(sent for of, sent in _AS_SENT if isinstance(chosen.type, of))
        row += [(_SIZE + name, ">i4"), (name, kind, 2) if kind == ">u8" else (name, kind)]
    shape = np.dtype(row)
    cursor: Any = connection.connection.cursor()
    with cursor, cursor.copy(f"COPY ({compiled}) TO STDOUT (FORMAT binary)", compiled.params) as sent:
        waiting = bytearray()
        skip = _HEADER
        for piece in sent:
            waiting += piece
            if len(waiting) >= _AT_ONCE:
                rows = (len(waiting) - skip) // shape.itemsize
                yield _columns(waiting, shape, rows, skip, names)
                del waiting[: skip + rows * shape.itemsize]
                skip = 0
        # The last two bytes say that this is all.
        yield _columns(waiting, shape, (len(waiting) - skip) // shape.itemsize, skip, names)


def whole(pieces: Iterable[Columns]) -> Columns:
    """The pieces put together."""
    found = list(pieces)
    return {name: np.concatenate([piece[name] for piece in found]) for name in found[0]}


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
