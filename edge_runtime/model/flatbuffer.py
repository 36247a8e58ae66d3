"""Reads flatbuffer tables with `struct` alone and checks every offset: the device has no `flatbuffers` package.

The layout follows the FlatBuffers internals document: a table begins with the distance back to its vtable, which holds
the position of each field; strings and vectors begin with their length.

Offsets may point anywhere, so a small file can refer to the same megabyte, or the same thousand tables, a million
times: what one walk may read is limited, whatever the file says.
"""

from __future__ import annotations

import struct
from typing import Any

from edge_runtime.errors import ModelError

# Far more than image classifiers have: the largest tried have 5,000 tables and 500,000 numbers.
MAX_TABLES, MAX_ITEMS = 50_000, 4_000_000


class _Budget:
    """What one walk may still read: tables, and numbers or bytes."""

    def __init__(self) -> None:
        self.num_tables, self.num_items = MAX_TABLES, MAX_ITEMS

    def take(self, num_tables: int, num_items: int) -> None:
        self.num_tables -= num_tables
        self.num_items -= num_items
        if self.num_tables < 0 or self.num_items < 0:
            raise ModelError(
                f"The flatbuffer leads to more than {MAX_TABLES} tables or {MAX_ITEMS} values, more than any image "
                "classifier has: it is damaged or made to fill the memory."
            )


class Table:
    """One table of ``data``; fields are read by their index in the schema, absent ones as None, empty or a default."""

    def __init__(self, data: bytes, position: int, budget: _Budget | None = None) -> None:
        self._data = data
        self._budget = budget or _Budget()
        self._budget.take(1, 0)
        self._position = position
        self._vtable = position - self._unpack("<i", position)
        self._vtable_size = self._unpack("<H", self._vtable)
        table_size = self._unpack("<H", self._vtable + 2)
        self._unpack("<B", self._vtable + max(self._vtable_size, 4) - 1)
        self._unpack("<B", position + max(table_size, 4) - 1)
        self._expect_fields_inside(max(table_size, 4))

    @classmethod
    def root(cls, data: bytes) -> Table:
        """The root table. Raises ModelError, as every method does, if an offset points outside ``data``."""
        if len(data) < 8:
            raise ModelError(f"The flatbuffer has {len(data)} bytes, expected at least 8: the file was cut short.")
        return cls(data, struct.unpack_from("<I", data)[0])

    def _expect_fields_inside(self, table_size: int) -> None:
        """Checks every field's position: interpreters read fields without checking the table's size."""
        count = (self._vtable_size - 4) // 2
        if count > 0:
            farthest = max(struct.unpack_from(f"<{count}H", self._data, self._vtable + 4))
            if farthest >= table_size:
                raise ModelError(
                    f"The flatbuffer has a table of {table_size} bytes with a field at byte {farthest}: it is damaged."
                )

    def scalar(self, field: int, code: str, default: int = 0) -> Any:
        """The number in ``field``, of the `struct` type ``code``; ``default`` if the field is absent."""
        place = self.place(field)
        return self._unpack("<" + code, place) if place else default

    def table(self, field: int) -> Table | None:
        """The table in ``field``, or None."""
        place = self.place(field)
        return Table(self._data, place + self._unpack("<I", place), self._budget) if place else None

    def tables(self, field: int) -> list[Table]:
        """The tables in ``field``; none if it is absent."""
        start, count = self._vector(field, 4)
        places = range(start, start + 4 * count, 4)
        return [Table(self._data, place + self._unpack("<I", place), self._budget) for place in places]

    def numbers(self, field: int, code: str) -> tuple[Any, ...]:
        """The numbers in ``field``, each of the `struct` type ``code``."""
        start, count = self._vector(field, struct.calcsize("<" + code))
        self._budget.take(0, count)
        return struct.unpack_from(f"<{count}{code}", self._data, start)

    def content(self, field: int) -> bytes:
        """The bytes in ``field``; none if it is absent."""
        start, count = self._vector(field, 1)
        self._budget.take(0, count)
        return self._data[start : start + count]

    def length(self, field: int, item_size: int = 1) -> int:
        """How many items of ``item_size`` bytes ``field`` has, all inside the data; the items are not read."""
        return self._vector(field, item_size)[1]

    def text(self, field: int) -> str:
        """The text in ``field``; invalid UTF-8 in it is replaced."""
        return self.content(field).decode("utf-8", "replace")

    def expect_text(self, field: int) -> None:
        """Raises ModelError unless ``field`` is absent or its text ends with a zero byte, as C expects."""
        start, count = self._vector(field, 1)
        if start and self._unpack("<B", start + count) != 0:
            raise ModelError(f"The flatbuffer has a text at byte {start} without an end: it is damaged.")

    def place(self, field: int) -> int:
        """The position of ``field`` in the data; 0 if it is absent."""
        slot = 4 + 2 * field
        if slot + 2 > self._vtable_size:
            return 0
        offset = self._unpack("<H", self._vtable + slot)
        return self._position + offset if offset else 0

    def start(self, field: int) -> int:
        """The position of the first item of the vector in ``field``; 0 if it is absent."""
        return self._vector(field, 1)[0]

    def _vector(self, field: int, item_size: int) -> tuple[int, int]:
        place = self.place(field)
        if not place:
            return 0, 0
        vector = place + self._unpack("<I", place)
        count = self._unpack("<I", vector)
        if vector + 4 + count * item_size > len(self._data):
            raise ModelError(
                f"The flatbuffer has a vector of {count} items beyond its {len(self._data)} bytes: it is damaged."
            )
        return vector + 4, count

    def _unpack(self, code: str, position: int) -> int:
        if not 0 <= position <= len(self._data) - struct.calcsize(code):
            raise ModelError(
                f"The flatbuffer points to byte {position} of {len(self._data)}: the file is damaged or cut short."
            )
        value: int = struct.unpack_from(code, self._data, position)[0]
        return value
