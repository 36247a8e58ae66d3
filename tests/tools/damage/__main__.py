"""Counts damaged JPEG images that are accepted, and undamaged ones that are refused.

``python -m tests.tools.damage SEED PHOTOS... [--damaged 1000] [--undamaged 2000]``, with folders of photos and videos.
"""

from __future__ import annotations

import argparse
import collections
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from edge_runtime.contract import InputSpec
from edge_runtime.errors import DataError
from edge_runtime.pixels.jpeg_damage import catch_decoder_warning
from edge_runtime.pixels.shrink import decode_camera_image, decode_shrunk
from tests.tools.damage.damages import WAYS, damage, looks_damaged
from tests.tools.damage.pictures import draw_photo, draw_undamaged, encode, list_photos

SPECS = {"whole": None, "for 96x96": InputSpec(96, 96), "for 32x32": InputSpec(32, 32)}


def make_damaged(photos: list[Path], rng: np.random.Generator, number: int) -> Iterator[tuple[str, bytes]]:
    """``number`` of (kind, JPEG) that look damaged, as many of each kind."""
    for count in range(number):
        while True:
            content = encode(draw_photo(photos[int(rng.integers(len(photos)))], rng), rng)
            kind, harmed = damage(content, WAYS[count % len(WAYS)], rng)
            if looks_damaged(_decode(content), _decode(harmed)):
                yield kind, harmed
                break


def _decode(content: bytes) -> np.ndarray:
    with catch_decoder_warning():
        return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)


def is_accepted(content: bytes, spec: InputSpec | None) -> bool:
    """Whether a camera's image ``content`` would be given to a model."""
    try:
        decode_camera_image(content, "it", spec)
    except DataError:
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("seed", type=int)
    parser.add_argument("photos", nargs="+")
    parser.add_argument("--damaged", type=int, default=1000)
    parser.add_argument("--undamaged", type=int, default=2000)
    parser.add_argument("--keep", type=Path)
    chosen = parser.parse_args()
    photos, rng = list_photos(chosen.photos), np.random.default_rng(chosen.seed)
    total: collections.Counter[str] = collections.Counter()
    taken: collections.Counter[tuple[str, str]] = collections.Counter()
    for number, (kind, content) in enumerate(make_damaged(photos, rng, chosen.damaged)):
        total[kind] += 1
        for name, spec in SPECS.items():
            if is_accepted(content, spec):
                taken[kind, name] += 1
                if chosen.keep:
                    (chosen.keep / f"{number}-{kind.replace(' ', '-')}-{name.replace(' ', '-')}.jpg").write_bytes(
                        content
                    )
    for name in SPECS:
        print(
            name,
            {kind: f"{taken[kind, name]}/{total[kind]}" for kind in sorted(total)},
            f"{sum(taken[kind, name] for kind in total)} of {chosen.damaged} damaged images are accepted",
        )
    seconds = plain = 0.0
    refused: collections.Counter[str] = collections.Counter()
    drawn: collections.Counter[str] = collections.Counter()
    for number in range(chosen.undamaged):
        kind, pixels = draw_undamaged(photos, rng)
        content = encode(pixels, rng)
        drawn[kind] += 1
        for spec in SPECS.values():
            begin = time.perf_counter()
            good = is_accepted(content, spec)
            middle = time.perf_counter()
            decode_shrunk(content, "it", spec)
            seconds, plain = seconds + middle - begin, plain + time.perf_counter() - middle
            if not good:
                refused[kind] += 1
                if chosen.keep:
                    (chosen.keep / f"good-{number}-{kind}-{spec is None}.jpg").write_bytes(content)
    times = seconds / max(plain, 1e-9)
    print(
        f"undamaged, each decoded in three sizes: refused {dict(refused)} of {dict(drawn)}; {times:.2f} x the decoding"
    )


if __name__ == "__main__":
    main()
