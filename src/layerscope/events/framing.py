"""Records: how event files delimit and check what they hold.

A record is: the payload's length (uint64), its masked CRC32C (uint32), the payload, the payload's
masked CRC32C (uint32), all little-endian. Source: tensorflow/core/lib/io/record_writer.h. The
checksum is C: TensorBoard's own is Python and takes 105 ns per byte, this one 0.05 ns.
"""

import struct
from collections.abc import Iterator

from google_crc32c import value as crc32c

_LENGTH = struct.Struct("<Q")
_CHECK = struct.Struct("<I")
_HEAD = struct.Struct("<QI")

CHECK_BYTES = _CHECK.size
"""Bytes of a record after its payload."""

OVERHEAD = _HEAD.size + CHECK_BYTES
"""Bytes of a record around its payload."""


class CorruptRecordError(ValueError):
    """A checksum does not fit, or a payload is not what it says; `offset` is the record's."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(reason)
        self.offset = offset


def masked_crc(data: bytes) -> int:
    """CRC32C, rotated and shifted, so that a CRC of data that holds CRCs stays a good one."""
    crc: int = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def frame(payload: bytes) -> tuple[bytes, bytes, bytes]:
    """Return the record of a payload as three pieces to join: a long payload is not copied."""
    length = _LENGTH.pack(len(payload))
    head = length + _CHECK.pack(masked_crc(length))
    return head, payload, _CHECK.pack(masked_crc(payload))


def payloads(data: bytes) -> Iterator[tuple[int, int]]:
    """Walk the whole records of a file's bytes; yields (start, stop) of each payload.

    Ends before a torn last record, whose bytes are those after the last stop + CHECK_BYTES. Raises
    CorruptRecordError where a length or a payload fails its checksum, the last record included: a
    torn one is too short, never wrong.
    """
    at, size = 0, len(data)
    while size - at >= _HEAD.size:
        length, check = _HEAD.unpack_from(data, at)
        if masked_crc(data[at : at + 8]) != check:
            raise CorruptRecordError(at, "the checksum of a record's length does not fit")
        start = at + _HEAD.size
        stop = start + length
        if stop + CHECK_BYTES > size:
            return
        if masked_crc(data[start:stop]) != _CHECK.unpack_from(data, stop)[0]:
            raise CorruptRecordError(at, "the checksum of a record does not fit")
        yield start, stop
        at = stop + CHECK_BYTES
