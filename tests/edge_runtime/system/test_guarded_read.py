"""A limit on what is read is no claim on memory."""

from __future__ import annotations

import io

from edge_runtime.system.guarded_read import read_at_most


class Asked(io.BytesIO):
    """A file that knows the largest piece that was asked for."""

    largest = 0

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None and size > 0
        self.largest = max(self.largest, size)
        return super().read(size)


def test_all_is_read_up_to_the_limit() -> None:
    content = bytes(range(256)) * 10_000
    assert read_at_most(io.BytesIO(content), 1 << 40) == content
    assert read_at_most(io.BytesIO(content), 1_500_000) == content[:1_500_000]
    assert read_at_most(io.BytesIO(content), len(content)) == content


def test_a_high_limit_asks_for_little_at_a_time() -> None:
    file = Asked(b"model")
    assert read_at_most(file, 1 << 40) == b"model"
    assert file.largest <= 1 << 20
