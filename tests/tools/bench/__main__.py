"""Which races there are, with which contenders; writes build/bench.md, .svg and .json."""

from __future__ import annotations

import argparse
import dataclasses
import json
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np

from edge_runtime.cameras.sources.synthetic import draw_wave_image
from edge_runtime.model.model_file import open_model
from edge_runtime.store.shipped import list_shipped_models
from tests.tools.bench import live
from tests.tools.bench.page import to_markdown, to_svg
from tests.tools.bench.race import ROOT, Contender, Timing, race

HOST = Path(sys.executable)
LITERT, TFLITE = "ai_edge_litert", "tflite_runtime"
SHARED = ROOT.parent / "shared" / "data" / "models"
JPEG_SIZES = ((640, 480), (1280, 720), (1920, 1080))


def in_memory(model: Path, frame: Path, labels: Path | None, peers: Path | None) -> list[Contender]:
    """bare invoke first, then ours and everyone else on one 640x480 frame, all with LiteRT; the last two as they ship."""
    names = list(open_model(model, labels).contract.spec.labels)
    job: dict[str, Any] = {"model": str(model), "frame": str(frame), "label_list": names, "interpreter": LITERT}
    ours = {**job, "labels": str(labels) if labels else None}
    contenders = [
        Contender("bare invoke()", HOST, "bare", job),
        Contender("edge_runtime", HOST, "ours", ours),
        Contender("OpenCV + LiteRT by hand", HOST, "plain", job),
        Contender("edge_runtime on tflite-runtime", HOST, "ours", {**ours, "interpreter": TFLITE}),
    ]
    if peers is not None:
        contenders.insert(3, Contender("MediaPipe Tasks ImageClassifier", peers, "mediapipe_tasks", job))
        contenders.append(Contender("teachable-machine-lite (tflite-runtime)", peers, "teachable", job))
    return contenders


def from_jpeg(model: Path, jpeg: Path) -> list[Contender]:
    """Decoding everything first, then ours, which decodes no more than the model needs."""
    names = list(open_model(model).contract.spec.labels)
    job: dict[str, Any] = {"model": str(model), "jpeg": str(jpeg), "label_list": names, "interpreter": LITERT}
    return [
        Contender("imdecode + resize + invoke", HOST, "plain", job),
        Contender("edge_runtime", HOST, "ours", job),
    ]


def run(folder: Path, models: Sequence[Path], peers: Path | None, rounds: int) -> dict[str, tuple[Timing, ...]]:
    """All races; an image of moving waves stands in for the camera."""
    frame = folder / "frame.npy"
    np.save(frame, draw_wave_image(480, 640))
    races: dict[str, tuple[Timing, ...]] = {}

    def hold(title: str, contenders: list[Contender], frames: int) -> None:
        print(f"{title} ...", file=sys.stderr, flush=True)
        races[title] = race(contenders, rounds, frames)

    for model in models:
        spec = open_model(model).contract.spec
        hold(f"{spec.name}, {spec.input.width}x{spec.input.height}", in_memory(model, frame, None, peers), 60)
    mobilenet = SHARED / "mobilenet_v2_1.0_224_quant.tflite"
    if mobilenet.is_file():
        labels = SHARED / "imagenet_labels.txt"
        hold("MobileNetV2, 224x224", in_memory(mobilenet, frame, labels, peers), 8)
    for model in models:
        spec = open_model(model).contract.spec
        for width, height in JPEG_SIZES:
            jpeg = folder / f"{width}.jpg"
            cv2.imwrite(str(jpeg), draw_wave_image(height, width), [cv2.IMWRITE_JPEG_QUALITY, 85])
            title = f"{spec.name}, {spec.input.width}x{spec.input.height}, from a {width}x{height} JPEG"
            hold(title, from_jpeg(model, jpeg), 20)
    return races


def whole_programs(folder: Path, num_frames: int) -> tuple[live.Figure, ...]:
    """Start-up, a network camera, memory: programs that run alone, one after the other."""
    picture = folder / "picture.jpg"
    cv2.imwrite(str(picture), draw_wave_image(720, 1280))
    print("whole programs ...", file=sys.stderr, flush=True)
    return live.start_up(picture), live.network_camera(), live.memory(num_frames)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.tools.bench", description=__doc__)
    parser.add_argument("--model", type=Path, action="append", help="a .tflite of ours (default: the shipped ones)")
    parser.add_argument("--peers", type=Path, help="python of the peers' environment (default: leave the peers out)")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path, default=Path("build/bench"))
    parser.add_argument("--frames", type=int, default=20_000, help="frames of the memory figure (default 20,000)")
    flags = parser.parse_args()
    with TemporaryDirectory() as folder:
        races = run(Path(folder), flags.model or list(list_shipped_models().values()), flags.peers, flags.rounds)
        figures = whole_programs(Path(folder), flags.frames)
    machine = f"{platform.machine()}, Python {platform.python_version()}"
    flags.out.parent.mkdir(parents=True, exist_ok=True)
    table = to_markdown(races, machine) + "\n" + live.to_markdown(figures)
    flags.out.with_suffix(".md").write_text(table, encoding="utf-8")
    flags.out.with_suffix(".svg").write_text(to_svg(races), encoding="utf-8")
    data: dict[str, Any] = {title: [dataclasses.asdict(row) for row in timings] for title, timings in races.items()}
    data["whole programs"] = [dataclasses.asdict(figure) for figure in figures]
    flags.out.with_suffix(".json").write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
