"""``edge-runtime doctor``: what is missing on this device, and how to get it."""

from __future__ import annotations

from functools import partial

from edge_runtime.cli.flag_names import name_flags
from edge_runtime.cli.flags import (
    add_camera_flags,
    add_format_flag,
    add_model_flags,
    print_result,
    read_camera_options,
    read_stated_flags,
    verb_parser,
)


def main(arguments: list[str]) -> int:
    """Runs the verb; the exit code."""
    parser = verb_parser(
        "doctor",
        "Says what is missing on this device, and how to get it; exit code 1 if anything is missing.",
        "edge-runtime doctor",
        "edge-runtime doctor --model flowers.tflite --format jsonl",
        "edge-runtime doctor --camera rtsp://user@192.168.1.9/stream --camera-password-file password",
    )
    add_camera_flags(parser, default=None)
    add_model_flags(parser)
    add_format_flag(parser)
    flags = parser.parse_args(arguments)

    import dataclasses

    from edge_runtime.reports.doctor import check_camera, check_device, format_finding

    findings = check_device(flags.model, flags.labels, read_stated_flags(flags))
    if flags.camera is not None:
        from edge_runtime.cameras.password import add_password

        # Imported only here: camera options need OpenCV, and that may be what is missing.
        options = read_camera_options(flags)
        findings += (check_camera(add_password(flags.camera, flags.camera_password_file), options),)
    for finding in findings:
        finding = dataclasses.replace(finding, found=name_flags(finding.found))
        value = {"v": 1, "type": "finding", **dataclasses.asdict(finding)}
        print_result(flags.format, partial(format_finding, finding), partial(dict, value))
    return 1 if any(finding.level == "problem" for finding in findings) else 0
