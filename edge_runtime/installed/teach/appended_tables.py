"""Appends tables and vectors to a flatbuffer and points to them: the device has no `flatbuffers` package.

Existing bytes change only where they are to point to something new, so shared parts stay as they are. Offsets in a
flatbuffer point forwards: a table comes before what it points to. The layout follows the FlatBuffers internals
document.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

# The schema's alignment for a buffer's data (`force_align`), and more than any vector of numbers needs.
ALIGNMENT = 16
# A field of a new table: a number with its `struct` type, an array that becomes a vector, or another table.
Field = tuple[str, int] | NDArray[np.generic] | Mapping[int, "Field"]


class Appender:
    """``content`` is the flatbuffer with everything appended so far."""

    def __init__(self, flatbuffer: bytes) -> None:
        self.content = bytearray(flatbuffer)

    def point(self, place: int, fields: Mapping[int, Field]) -> None:
        """Writes a table of ``fields``, by their index in the schema, and points the offset at ``place`` to it."""
        slots = max(fields, default=-1) + 1
        self._align(4)
        vtable = len(self.content)
        places = {field: 4 + 4 * number for number, field in enumerate(sorted(fields))}
        offsets = [places.get(field, 0) for field in range(slots)]
        self.content += struct.pack(f"<{2 + slots}H", 4 + 2 * slots, 4 + 4 * len(fields), *offsets)
        self._align(4)
        table = len(self.content)
        self.content += struct.pack("<i", table - vtable) + bytes(4 * len(fields))
        struct.pack_into("<I", self.content, place, table - place)
        for field, value in sorted(fields.items()):
            self._write(table + places[field], value)

    def _write(self, place: int, value: Field) -> None:
        if isinstance(value, np.ndarray):
            self._point_to_vector(place, value)
        elif isinstance(value, Mapping):
            self.point(place, value)
        else:
            code, number = value
            struct.pack_into("<" + code, self.content, place, number)

    def _point_to_vector(self, place: int, values: NDArray[np.generic]) -> None:
        self.content += bytes(-(len(self.content) + 4) % ALIGNMENT)  # the numbers follow their count
        struct.pack_into("<I", self.content, place, len(self.content) - place)
        self.content += struct.pack("<I", values.size) + values.astype(values.dtype.newbyteorder("<")).tobytes()
        self.content += b"\0"  # terminates a text

    def _align(self, size: int) -> None:
        self.content += bytes(-len(self.content) % size)
