"""Whatever a camera or a photo holds, its bytes are cut, measured and converted, or refused in words."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.cameras.sources.splitter import JpegSplitter
from edge_runtime.contract import InputSpec
from edge_runtime.pixels.jpeg import cut_out, find_jpeg_end, find_next_start, is_whole, read_jpeg_header
from edge_runtime.pixels.jpeg_region import read_region
from edge_runtime.pixels.yuyv import yuyv_to_bgr
from tests.fuzz import corpus
from tests.fuzz.claim import fuzzed, parsed
from tests.fuzz.mutations import spoiled, spoiled_text

_sides = st.integers(0, 9) | st.sampled_from((16, 64, 130, 256))


@fuzzed(100)
@given(spoiled(corpus.jpegs()))
def test_a_jpeg(content: bytes) -> None:
    header = parsed(read_jpeg_header, content)
    assert header is None or (header.width > 0 and header.height > 0 and header.coefficient_bytes >= 0)
    end = parsed(find_jpeg_end, content)
    assert -1 <= end <= len(content)
    assert parsed(find_next_start, content, 0, len(content)) < max(1, len(content))
    cut = parsed(cut_out, content)
    assert len(cut) <= len(content) + 2
    parsed(is_whole, content)
    parsed(read_region, content)


@fuzzed(60)
@given(
    spoiled(corpus.camera_streams()),
    st.sampled_from(("frame", "", '"frame"')) | spoiled_text(["frame"]),
    st.integers(1, 4),
)
def test_a_stream(content: bytes, boundary: str, num_pieces: int) -> None:
    def cut() -> int:
        splitter, found = JpegSplitter(boundary), 0
        step = max(1, len(content) // num_pieces)
        for place in range(0, len(content), step):
            splitter.feed(content[place : place + step])
            while (part := splitter.next_part()) is not None:
                found += len(part)
        return found

    assert (parsed(cut) or 0) <= len(content)


@fuzzed(60)
@given(
    st.tuples(_sides, _sides) | st.tuples(_sides, _sides, st.integers(0, 3)),
    st.sampled_from(("uint8", "int8", "float32")),
    st.none()
    | st.builds(InputSpec, st.integers(1, 300), st.integers(1, 300), st.sampled_from(("stretch", "crop", "letterbox"))),
)
def test_a_yuyv_frame(shape: tuple[int, ...], dtype: str, spec: InputSpec | None) -> None:
    image = parsed(yuyv_to_bgr, np.zeros(shape, dtype), spec)
    assert image is None or (image.ndim == 3 and image.shape[2] == 3 and image.dtype == np.uint8)
