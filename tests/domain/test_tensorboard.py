"""Event files, against bytes that TensorBoard's own library wrote, and against the checksum's published values."""

import math
import struct

from backend.domain.formats.tensorboard import crc32c, events

# tensorboard 2.21: an event with the version, one of two numbers at step 300, one that is no number.
BY_TENSORBOARD = bytes.fromhex(
    "1800000000000000a37f4b220900001040fc54d9411a0d627261696e2e4576656e743a32338d2fe9"
    "3500000000000000d6c55de60900006040fc54d94110ac022a270a110a0a747261696e2f6c6f7373"
    "15000020400a120a0b74696d652f737465705f7315000000be179be611"
)


def test_the_bytes_are_those_of_tensorboard() -> None:
    rows = [(300, 1700000001.5, {"train/loss": 2.5, "time/step_s": -0.125})]
    assert b"".join(events(1700000000.25, rows)) == BY_TENSORBOARD


def test_the_checksum_is_castagnoli_s() -> None:
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA and crc32c(b"\xff" * 32) == 0x62A8AB43  # RFC 3720, B.4


def test_no_number_and_one_too_large_for_the_format_are_still_points() -> None:
    def point(value: float | None) -> float:
        *_, last = events(0.0, [(0, 0.0, {"a": value})])
        return float(struct.unpack("<f", last[-8:-4])[0])

    assert math.isnan(point(None)) and point(1e300) == math.inf and point(-1e300) == -math.inf and point(0.5) == 0.5
