"""The zip after the flatbuffer, in one canonical form: stored members and fixed dates, so every byte has only one
correct value.

Written with `struct`, because `zipfile` costs start-up time, and because a reader that accepts only what this writer
writes leaves no room for a second central directory, a comment, an extra field or a duplicate name.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

from edge_runtime.errors import ModelError

# The fields are those of PKWARE's APPNOTE 6.3, sections 4.3.7, 4.3.12 and 4.3.16.
_LOCAL, _CENTRAL, _END = struct.Struct("<4s5H3I2H"), struct.Struct("<4s6H3I5H2I"), struct.Struct("<4s4H2IH")
_VERSION, _STORED, _DATE_1980_01_01 = 20, 0, 0x21


def write_zip(members: Mapping[str, bytes], offset: int = 0) -> bytes:
    """The archive of ``members`` in their order, for a position ``offset`` bytes into its file."""
    body, directory = bytearray(), bytearray()
    for name, content in members.items():
        encoded, size = name.encode("ascii"), len(content)
        header = (_VERSION, 0, _STORED, 0, _DATE_1980_01_01, zlib.crc32(content), size, size, len(encoded), 0)
        directory += _CENTRAL.pack(b"PK\x01\x02", _VERSION, *header, 0, 0, 0, 0, offset + len(body)) + encoded
        body += _LOCAL.pack(b"PK\x03\x04", *header) + encoded + content
    end = _END.pack(b"PK\x05\x06", 0, 0, len(members), len(members), len(directory), offset + len(body), 0)
    return bytes(body + directory + end)


def split_zip(content: bytes, name: str) -> tuple[bytes, dict[str, bytes]]:
    """The bytes before the archive at the end of ``content``, and its members; ``name`` is for the error text.

    Raises:
        ModelError: the archive is not byte for byte what `write_zip` writes for its members.
    """
    try:
        members, start = _parse(content)
        intact = content[start:] == write_zip(members, start)
    except (struct.error, ValueError, IndexError, OverflowError):
        intact = False
    if not intact:
        raise ModelError(
            f"{name} ({len(content)} bytes) is damaged: the parts appended to its model are not as they were written. "
            "Copy the file again, or convert the model again."
        )
    return content[:start], members


def _parse(content: bytes) -> tuple[dict[str, bytes], int]:
    *_, count, _size, position, _comment = _END.unpack(content[-_END.size :])
    members: dict[str, bytes] = {}
    start = position
    for _ in range(count):
        fields = _CENTRAL.unpack(content[position : position + _CENTRAL.size])
        size, name_length, header = fields[9], fields[10], fields[16]
        name = content[position + _CENTRAL.size : position + _CENTRAL.size + name_length].decode("ascii")
        data = header + _LOCAL.size + name_length
        members[name] = content[data : data + size]
        start = min(start, header)
        position += _CENTRAL.size + name_length
    return members, start
