"""``edge-runtime bench``: times every stage between a frame and its label."""

from __future__ import annotations

from edge_runtime.cli.flags import (
    add_format_flag,
    add_model_flags,
    add_region_flag,
    open_flagged_model,
    print_result,
    read_region_flag,
    verb_parser,
)
from edge_runtime.errors import UsageError


def main(arguments: list[str]) -> int:
    """Runs the verb; the exit code."""
    parser = verb_parser(
        "bench",
        "Times every stage between a frame and its label, for each backend and number of threads.",
        "edge-runtime bench",
        "edge-runtime bench --model flowers.tflite --image photo.jpg --threads 1,2",
        "edge-runtime bench --backend litert --json",
    )
    add_model_flags(parser)
    parser.add_argument(
        "--backend", choices=("all", "litert", "tflite"), default="all", help="default: all that are installed"
    )
    parser.add_argument("--threads", default="1,2,4", metavar="N,N", help="thread counts to try (default 1,2,4)")
    parser.add_argument("--runs", type=int, default=200, help="timed runs of each (default 200)")
    parser.add_argument(
        "--image", metavar="FILE", help="time this image, decoding included, instead of a 640x480 pattern"
    )
    parser.add_argument("--json", action="store_true", help="the same as --format jsonl")
    add_region_flag(parser, "the whole")
    add_format_flag(parser)
    flags = parser.parse_args(arguments)

    from edge_runtime.pixels.image_file import read_image_bytes
    from edge_runtime.reports.bench import BenchConfig, bench, format_bench, make_bench_object

    try:
        threads = tuple(int(count) for count in flags.threads.split(","))
    except ValueError as error:
        raise UsageError(f"--threads is {flags.threads!r}, expected numbers with commas such as 1,2,4.") from error
    region = read_region_flag(flags)
    backends = () if flags.backend == "all" else (flags.backend,)
    if flags.image:
        config = BenchConfig(threads, backends, flags.runs, read_image_bytes(flags.image), flags.image, region=region)
    else:
        config = BenchConfig(threads, backends, flags.runs, region=region)
    report = bench(open_flagged_model(flags), config)
    print_result(
        "jsonl" if flags.json else flags.format, lambda: format_bench(report), lambda: make_bench_object(report)
    )
    return 0
