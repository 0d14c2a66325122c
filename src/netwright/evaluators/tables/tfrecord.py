"""TFRecord files and the protobuf messages in NAS-Bench-101's, read without TensorFlow.

A record is its length (8 bytes), a masked CRC-32C of these 8 bytes (4), the data, and a masked CRC-32C of the data.
The first sum is checked; the second, which would take longer than all the rest, is not: what is read is checked by
its own form.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from netwright.errors import InputError

LONGEST = 2**24


def records(path: Path) -> Iterator[bytes]:
    """The records of a file; InputError where it is damaged or truncated."""
    with path.open("rb") as file:
        place = 0
        while head := file.read(12):
            if len(head) < 12:
                raise InputError(f"{path} is truncated at byte {place:,}", hint="Copy it again")
            length, checksum = struct.unpack("<QI", head)
            if masked_crc(head[:8]) != checksum or length > LONGEST:
                raise InputError(f"{path} is damaged, or no TFRecord file: at byte {place:,}", hint="Copy it again")
            data = file.read(length + 4)
            if len(data) < length + 4:
                raise InputError(f"{path} is truncated at byte {place:,}", hint="Copy it again")
            place += 16 + length
            yield data[:-4]


def masked_crc(data: bytes) -> int:
    """TensorFlow's masked CRC-32C."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a protobuf message: their numbers, with ints, floats (of 8 bytes) or bytes.

    ValueError where it is none.
    """
    place, end = 0, len(message)
    while place < end:
        key, place = _varint(message, place)
        number, kind = key >> 3, key & 7
        value: Any
        if kind == 0:
            value, place = _varint(message, place)
        elif kind == 1:
            if place + 8 > end:
                raise ValueError("a number is cut off")
            value = struct.unpack_from("<d", message, place)[0]
            place += 8
        elif kind == 2:
            length, place = _varint(message, place)
            if place + length > end:
                raise ValueError("a field is cut off")
            value = message[place : place + length]
            place += length
        else:
            raise ValueError(f"a field of kind {kind}")
        yield number, value


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if place >= len(message) or shift > 63:
            raise ValueError("a number has no end")
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7


def _crc_of(byte: int) -> int:
    for _ in range(8):
        byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
    return byte


_TABLE = tuple(map(_crc_of, range(256)))
