"""``edge-runtime VERB``: flags become values, values go to the verb, errors become one line and an exit code.

stdout carries results only, stderr is for people, nothing ever prompts. Each verb builds its own flags and imports
what it needs when it is called, because start-up time is most of what classifying one picture costs.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.errors import EdgeRuntimeError, UsageError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from edge_runtime.classifier import Classifier
    from edge_runtime.model_file import ModelFile

USAGE = """\
usage: edge-runtime VERB [options]

Classifies camera frames with one .tflite file.

verbs:
  run        label what a camera sees, until it ends or Ctrl-C
  classify   label picture files
  info       what a model file expects and how well it was measured to do
  selftest   replay the golden frames that travel in the model file
  bench      time every stage between a frame and its label
  doctor     what this device lacks for classifying, and how to get it

examples:
  edge-runtime classify photo.jpg
  edge-runtime run --camera 0
  edge-runtime run --model flowers.tflite --camera clip.mp4 --format jsonl
  edge-runtime VERB --help

Without --model the small model that came with the package is used.
exit codes: 0 ok, 1 failure, 2 usage, 65 bad model or data, 66 input missing, 69 camera unavailable, 70 internal,
75 camera already in use, 78 configuration
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one verb and gives the exit code; never raises what a user can cause."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return _dispatch(arguments)
    except EdgeRuntimeError as error:
        print(f"edge-runtime: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # The reader of our results left (for example `| head`); point stdout elsewhere so that Python's last flush is
        # quiet.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        print(f"edge-runtime: the results cannot be written: {error}; check the disk.", file=sys.stderr)
        return 1
    except SystemExit as error:  # argparse: 0 after --help, 2 after a usage error
        return error.code if isinstance(error.code, int) else 2
    except Exception:
        import traceback

        traceback.print_exc()
        print("edge-runtime: this is a bug of ours; please report it with the lines above.", file=sys.stderr)
        return 70


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(USAGE, end="", file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else 2
    if arguments[0] == "--version":
        from edge_runtime.version import __version__

        print(__version__)
        return 0
    if arguments[0] not in VERBS:
        raise UsageError(
            f"There is no verb {arguments[0]!r}, expected one of {', '.join(VERBS)}; see edge-runtime --help."
        )
    import logging

    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="edge-runtime: %(message)s")
    return VERBS[arguments[0]](arguments[1:])


def _run(arguments: list[str]) -> int:
    from edge_runtime.stopping import StopRequest

    stop = StopRequest()
    stop.install()
    parser = _parser(
        "run",
        "Labels what a camera sees, until it ends or Ctrl-C.",
        "edge-runtime run --camera 0",
        "edge-runtime run --camera rtsp://user:password@192.168.1.9/stream --hold 3/5",
        "edge-runtime run --model flowers.tflite --camera clip.mp4 --format jsonl",
        "edge-runtime run --camera synthetic --frames 100",
    )
    parser.add_argument("--camera", default="0", metavar="CAMERA", help=CAMERA_HELP)
    _add_classifier_flags(parser)
    _add_format_flag(parser)
    parser.add_argument(
        "--max-age-ms", type=float, default=500.0, metavar="MS", help="discard older frames (default 500)"
    )
    parser.add_argument(
        "--hold", metavar="K/N", help="show a new label only after K of the last N frames agree, such as 3/5"
    )
    parser.add_argument("--frames", type=int, metavar="N", help="stop after N labels")
    parser.add_argument(
        "--give-up-s",
        type=float,
        default=30.0,
        metavar="S",
        help="end with 69 when the camera gives no first frame in S seconds; inf for never (default 30)",
    )
    flags = parser.parse_args(arguments)

    from edge_runtime.cameras import open_camera, parse_camera
    from edge_runtime.instance_lock import only_user_of
    from edge_runtime.loop import Loop, LoopConfig
    from edge_runtime.sinks import open_sink
    from edge_runtime.smoothing import parse_hold

    config = LoopConfig(
        max_age_ms=flags.max_age_ms,
        max_frames=flags.frames,
        hold=parse_hold(flags.hold) if flags.hold else None,
        give_up_s=flags.give_up_s,
    )
    sink = open_sink(flags.format, sys.stdout, sys.stderr)
    model = _open_model(flags)
    with (
        only_user_of(parse_camera(flags.camera)),
        open_camera(flags.camera, model.contract.spec.input, wait=math.isinf(flags.give_up_s)) as source,
        _classifier(flags, model) as classifier,
    ):
        print(f"{source.name} -> {model.contract.spec.name}; Ctrl-C ends.", file=sys.stderr)
        Loop(classifier, source, sink, config).run(stop)
    return 0


def _classify(arguments: list[str]) -> int:
    parser = _parser(
        "classify",
        "Labels picture files, one line each; a picture that cannot be read is reported and the others go on.",
        "edge-runtime classify photo.jpg",
        "edge-runtime classify --model flowers.tflite --top-k 1 --format jsonl *.jpg",
        "edge-runtime classify --model mobilenet.tflite --labels labels.txt photo.jpg",
    )
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="picture files: JPEG, PNG, WebP, BMP, TIFF")
    _add_classifier_flags(parser)
    _add_format_flag(parser)
    parser.add_argument(
        "--full-size", action="store_true", help="decode JPEG whole even where the model needs far less (slower)"
    )
    flags = parser.parse_args(arguments)

    from edge_runtime.clock import monotonic_s, wall_time_s
    from edge_runtime.results import Result
    from edge_runtime.shrink import read_shrunk
    from edge_runtime.sinks import open_sink

    exit_code = 0
    sink = open_sink(flags.format, sys.stdout, sys.stderr)
    with _classifier(flags, _open_model(flags)) as classifier:
        spec = None if flags.full_size else classifier.contract.spec.input
        for seq, name in enumerate(flags.images):
            started_s = monotonic_s()
            try:
                prediction = classifier.classify(read_shrunk(name, spec))
            except EdgeRuntimeError as error:
                print(f"edge-runtime: {error}", file=sys.stderr)
                exit_code = exit_code or error.exit_code
                continue
            sink.result(Result(seq, wall_time_s(), (monotonic_s() - started_s) * 1e3, prediction, 0, name))
    return exit_code


def _info(arguments: list[str]) -> int:
    parser = _parser(
        "info",
        "Shows what a model file expects and how well it was measured to do.",
        "edge-runtime info --model flowers.tflite",
        "edge-runtime info --model flowers.tflite --format jsonl",
    )
    _add_model_flags(parser)
    _add_format_flag(parser)
    flags = parser.parse_args(arguments)

    from edge_runtime.info import info_object, info_text

    model = _open_model(flags)
    _print(flags.format, lambda: info_text(model), lambda: info_object(model))
    return 0


def _selftest(arguments: list[str]) -> int:
    parser = _parser(
        "selftest",
        "Replays the golden frames of a model file: exact input bytes, outputs within what the kernels allow.",
        "edge-runtime selftest --model flowers.tflite",
        "edge-runtime selftest --backend tflite --format jsonl",
    )
    _add_classifier_flags(parser)
    _add_format_flag(parser)
    flags = parser.parse_args(arguments)

    import dataclasses

    from edge_runtime.info import selftest_text
    from edge_runtime.selftest import selftest

    with _classifier(flags, _open_model(flags)) as classifier:
        report = selftest(classifier)
    _print(
        flags.format,
        partial(selftest_text, report),
        lambda: {"v": 1, "type": "selftest", "passed": report.passed, **dataclasses.asdict(report)},
    )
    return 0 if report.passed else 1


def _bench(arguments: list[str]) -> int:
    parser = _parser(
        "bench",
        "Times every stage between a frame and its label, for each interpreter and number of threads.",
        "edge-runtime bench",
        "edge-runtime bench --model flowers.tflite --image photo.jpg --threads 1,2",
        "edge-runtime bench --backend litert --json",
    )
    _add_model_flags(parser)
    parser.add_argument(
        "--backend", choices=("all", "litert", "tflite"), default="all", help="default: all that are installed"
    )
    parser.add_argument("--threads", default="1,2,4", metavar="N,N", help="thread counts to try (default 1,2,4)")
    parser.add_argument("--runs", type=int, default=200, help="timed runs of each (default 200)")
    parser.add_argument(
        "--image", metavar="FILE", help="time this picture, decoding included, instead of a 640x480 pattern"
    )
    parser.add_argument("--json", action="store_true", help="the same as --format jsonl")
    _add_format_flag(parser)
    flags = parser.parse_args(arguments)

    from edge_runtime.bench import BenchConfig, bench, bench_object, bench_text

    try:
        threads = tuple(int(count) for count in flags.threads.split(","))
    except ValueError as error:
        raise UsageError(f"--threads is {flags.threads!r}, expected numbers with commas such as 1,2,4.") from error
    backends = () if flags.backend == "all" else (flags.backend,)
    if flags.image:
        config = BenchConfig(threads, backends, flags.runs, _read_picture(flags.image), flags.image)
    else:
        config = BenchConfig(threads, backends, flags.runs)
    report = bench(_open_model(flags), config)
    _print("jsonl" if flags.json else flags.format, lambda: bench_text(report), lambda: bench_object(report))
    return 0


def _doctor(arguments: list[str]) -> int:
    parser = _parser(
        "doctor",
        "Says what this device lacks for classifying, and how to get it; ends with 1 when something is missing.",
        "edge-runtime doctor",
        "edge-runtime doctor --model flowers.tflite --format jsonl",
    )
    _add_model_flags(parser)
    _add_format_flag(parser)
    flags = parser.parse_args(arguments)

    import dataclasses

    from edge_runtime.doctor import examine, finding_line

    findings = examine(flags.model, flags.labels)
    for finding in findings:
        value = {"v": 1, "type": "finding", **dataclasses.asdict(finding)}
        _print(flags.format, partial(finding_line, finding), partial(dict, value))
    return 1 if any(finding.level == "problem" for finding in findings) else 0


VERBS: dict[str, Callable[[list[str]], int]] = {
    "run": _run,
    "classify": _classify,
    "info": _info,
    "selftest": _selftest,
    "bench": _bench,
    "doctor": _doctor,
}

CAMERA_HELP = (
    "0 | /dev/video2 | csi | rtsp://... | http://.../stream.mjpg | video.mp4 | DIR | synthetic[:640x480@30] (default 0)"
)


def _parser(verb: str, description: str, *examples: str) -> ArgumentParser:
    import argparse

    return argparse.ArgumentParser(
        prog=f"edge-runtime {verb}",
        description=description,
        epilog="examples:\n" + "\n".join(f"  {example}" for example in examples),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def _add_model_flags(parser: ArgumentParser) -> None:
    parser.add_argument("--model", metavar="FILE", help="a .tflite file (default: the one that came with the package)")
    parser.add_argument("--labels", metavar="FILE", help="one label a line, for models that carry none")


def _add_classifier_flags(parser: ArgumentParser) -> None:
    _add_model_flags(parser)
    parser.add_argument(
        "--backend", choices=("auto", "litert", "tflite"), default="auto", help="interpreter (default auto)"
    )
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="threads of the interpreter (default 1)")
    parser.add_argument(
        "--threshold", type=float, metavar="P", help="answer unknown below this probability (default: the model's)"
    )
    parser.add_argument("--top-k", type=int, default=3, metavar="K", help="how many classes to show (default 3)")


def _add_format_flag(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--format", choices=("text", "jsonl"), default="text", help="for people or for programs (default text)"
    )


def _open_model(flags: Namespace) -> ModelFile:
    from edge_runtime.model_file import default_model, open_model

    model = open_model(flags.model or default_model(), Path(flags.labels) if flags.labels else None)
    for assumption in model.assumptions:
        print(f"edge-runtime: assumed: {assumption}", file=sys.stderr)
    return model


def _classifier(flags: Namespace, model: ModelFile) -> Classifier:
    import cv2

    from edge_runtime.classifier import Classifier

    if not 1 <= flags.threads <= 64:
        raise UsageError(f"--threads is {flags.threads}, expected 1 to 64.")
    cv2.setNumThreads(flags.threads)
    return Classifier(model, threads=flags.threads, backend=flags.backend, threshold=flags.threshold, top_k=flags.top_k)


def _read_picture(name: str) -> bytes:
    from edge_runtime.errors import DataError, MissingInputError

    try:
        return Path(name).read_bytes()
    except FileNotFoundError as error:
        raise MissingInputError(f"There is no picture {name}; check the path.") from error
    except OSError as error:
        raise DataError(f"{name} cannot be read ({error.strerror}); expected a picture file.") from error


def _print(form: str, text: Callable[[], str], value: Callable[[], object]) -> None:
    """One result to stdout: text for people, or one line of JSON."""
    if form == "text":
        print(text(), flush=True)
    else:
        import json

        print(json.dumps(value(), ensure_ascii=False, separators=(",", ":")), flush=True)
