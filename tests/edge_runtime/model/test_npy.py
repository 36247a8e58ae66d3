"""One array as .npy bytes: what was written reads back, anything else is refused in words."""

from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.errors import ModelError
from edge_runtime.model.npy import array_from_npy, array_to_npy

ARRAY = np.arange(6, dtype=np.uint8).reshape(2, 3)
WHOLE = array_to_npy(ARRAY)


def test_what_was_written_reads_back() -> None:
    found = array_from_npy("a.npy", WHOLE)
    assert found.dtype == ARRAY.dtype and found.tolist() == ARRAY.tolist()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        WHOLE[:-1],
        WHOLE.replace(b"'descr'", b"{'descr"),
        WHOLE.replace(b"{'descr'", b"((((((((", 1),
        WHOLE.replace(b"'|u1'", b"'|O' "),
        WHOLE.replace(b"(2, 3)", b"(9**9)"),
    ],
    ids=["empty", "cut", "no statement", "brackets", "objects", "formula"],
)
def test_what_is_no_array_is_refused(content: bytes) -> None:
    with pytest.raises(ModelError, match=r"a.npy is not an array \(.*\)\. Convert the model again"):
        array_from_npy("a.npy", content)
