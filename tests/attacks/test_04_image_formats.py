"""Attack 4: reach a decoder that nobody looks at through a file called photo.jpg. Stopped by a list of allowed beginnings."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime import cli
from edge_runtime.errors import DataError
from edge_runtime.pixels.image_file import is_allowed_format, read_image

IMAGE = np.full((8, 8, 3), 90, np.uint8)


@pytest.mark.parametrize("suffix", [".jp2", ".hdr", ".ras", ".pam", ".pbm", ".exr", ".avif"])
def test_what_opencv_knows_beyond_the_list_is_refused_under_any_name(
    suffix: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    image = IMAGE.astype(np.float32) if suffix in (".hdr", ".exr") else IMAGE[..., 0] if suffix == ".pbm" else IMAGE
    try:
        is_written, encoded = cv2.imencode(suffix, image)
    except cv2.error:
        is_written = False
    if not is_written:
        pytest.skip(f"this OpenCV writes no {suffix}")
    path = tmp_path / "photo.jpg"
    path.write_bytes(encoded.tobytes())
    with pytest.raises(
        DataError,
        match=r"photo\.jpg (\(\d+ bytes\) is not an image: it begins with b.*, expected a JPEG, PNG, WebP|is an AVIF image)",
    ):
        read_image(path)
    assert cli.main(["classify", str(path)]) == 65


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp", ".tiff", ".ppm"])
def test_what_is_on_the_list_is_decoded(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / "photo"
    path.write_bytes(cv2.imencode(suffix, IMAGE)[1].tobytes())
    assert read_image(path).shape == IMAGE.shape
    assert not is_allowed_format(b"GIF89a...")
