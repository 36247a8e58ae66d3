"""Attack 4: reach a decoder that nobody looks at through a file called photo.jpg. Stopped by a list of allowed beginnings."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime import cli
from edge_runtime.errors import DataError
from edge_runtime.live.collect import CollectConfig, Collector
from edge_runtime.pixels.image_file import is_allowed_format, read_image

IMAGE = np.full((64, 64, 3), 90, np.uint8)  # OpenCV writes no smaller JPEG 2000
ROOT = Path(__file__).parents[2]
# Where OpenCV decodes what has passed the list, by FFmpeg's own list, or what the same function has just encoded.
DECODERS = {
    "edge_runtime/pixels/image_file.py", "edge_runtime/pixels/shrink.py", "edge_runtime/pixels/motion.py",
    "edge_runtime/cameras/sources/opencv/capture.py", "edge_runtime/cameras/sources/opencv/video_file.py", "edge_runtime/cameras/sources/opencv/stream.py",
    "convert/measure/corruptions.py", "convert/measure/field_test.py", "train/transfer/scenes/light.py",
    "train/transfer/features/image_store.py",
}  # fmt: skip


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


def test_images_are_decoded_nowhere_else() -> None:
    found = set()
    for package in ("edge_runtime", "convert", "train"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                name = node.attr if isinstance(node, ast.Attribute) else ""
                if name in ("imread", "imreadmulti", "imdecode", "imdecodemulti", "VideoCapture"):
                    found.add(path.relative_to(ROOT).as_posix())
    assert found == DECODERS


def test_collect_looks_at_what_an_earlier_run_left_by_the_same_list(tmp_path: Path) -> None:
    folder = tmp_path / "mug"
    folder.mkdir()
    (folder / "00001.jpg").write_bytes(cv2.imencode(".jp2", IMAGE)[1].tobytes())
    (folder / "00002.jpg").write_bytes(cv2.imencode(".jpg", IMAGE)[1].tobytes())
    os.mkfifo(folder / "00003.jpg")
    (folder / "00004.jpg").symlink_to("/dev/zero")
    assert len(Collector(CollectConfig(tmp_path, "mug"))._thumbnails) == 1
