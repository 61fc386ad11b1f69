"""The numbers of a run as an event file, which TensorBoard reads. Pure: rows in, bytes out.

The file is a chain of records (length, its checksum, data, its checksum; little endian), each an `Event` as protobuf.
The few fields that curves need are written by hand: a library for them would bring protobuf and numpy along.
Formats: tensorflow `lib/io/record_writer.h`, `core/util/event.proto`, `core/framework/summary.proto`; the checksum is
CRC-32C (Castagnoli) with the mask that TensorFlow puts on it.
"""

import math
import struct
from collections.abc import Iterable, Iterator, Mapping

MEDIA_TYPE = "application/octet-stream"
VERSION = b"brain.Event:2"

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def _table() -> tuple[int, ...]:
    found = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        found.append(value)
    return tuple(found)


_TABLE = _table()


def events(started: float, rows: Iterable[tuple[int, float, Mapping[str, float | None]]]) -> Iterator[bytes]:
    """The file in pieces. started: Unix seconds; rows: step, Unix seconds, and numbers by name (None: none finite)."""
    yield record(_double(1, started) + _bytes(3, VERSION))
    for step, at, values in rows:
        summary = b"".join(_bytes(1, _bytes(1, name.encode()) + _float(2, value)) for name, value in values.items())
        yield record(_double(1, at) + _key(2, _VARINT) + _varint(step) + _bytes(5, summary))


def record(data: bytes) -> bytes:
    """One record of the file."""
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked(length)) + data + struct.pack("<I", masked(data))


def masked(data: bytes) -> int:
    """The checksum as TensorFlow writes it."""
    checksum = crc32c(data)
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF


def crc32c(data: bytes) -> int:
    """CRC-32C of some bytes."""
    found = 0xFFFFFFFF
    for byte in data:
        found = found >> 8 ^ _TABLE[(found ^ byte) & 0xFF]
    return found ^ 0xFFFFFFFF


# -- protobuf ---------------------------------------------------------------------------------------------------------


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def _key(field: int, kind: int) -> bytes:
    return bytes([field << 3 | kind])


def _bytes(field: int, data: bytes) -> bytes:
    return _key(field, _BYTES) + _varint(len(data)) + data


def _double(field: int, value: float) -> bytes:
    return _key(field, _FIXED64) + struct.pack("<d", value)


def _float(field: int, value: float | None) -> bytes:
    try:
        return _key(field, _FIXED32) + struct.pack("<f", math.nan if value is None else value)
    except OverflowError:  # beyond single precision
        return _key(field, _FIXED32) + struct.pack("<f", math.copysign(math.inf, value or 0.0))
