"""Numbered images of a moving scene, coded as an RTSP camera sends them."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator

import cv2

from edge_runtime.cameras.sources.synthetic import draw_numbered_image, draw_wave_image
from tests.tools.rtsp.payloads import gather_images, split_h264, split_jpeg, split_units

# The numbers start again after so many.
NUM_IMAGES = 512
H264 = {"media": "RTP/AVP 96", "format_lines": "a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\n"}


def draw_jpeg(width: int, height: int, num_images: int = NUM_IMAGES) -> Callable[[int], Iterator[bytes]]:
    """Gives the payloads of image n as JPEG."""
    background = draw_wave_image(height, width)
    images = [
        cv2.imencode(".jpg", draw_numbered_image(background, number))[1].tobytes() for number in range(num_images)
    ]
    return lambda number: split_jpeg(images[number % num_images])


def draw_h264(width: int, height: int, num_images: int = NUM_IMAGES) -> Callable[[int], Iterator[bytes]]:
    """Gives the payloads of image n as H.264 with a key frame every 32 images; needs the program ffmpeg."""
    command = ["ffmpeg", "-v", "error", "-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{width}x{height}", "-i", "-"]
    command += ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", "32"]
    command += ["-x264-params", "slices=1:sliced-threads=0:repeat-headers=1", "-f", "h264", "-"]
    background = draw_wave_image(height, width)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        entry = process.stdin

        def draw() -> None:
            with entry:
                for number in range(num_images):
                    entry.write(draw_numbered_image(background, number).tobytes())

        thread = threading.Thread(target=draw)
        thread.start()
        images = gather_images(split_units(process.stdout.read()))
        thread.join()
    assert len(images) == num_images, f"ffmpeg made {len(images)} of {num_images} images"
    return lambda number: split_h264(images[number % num_images])
