"""``edge-runtime install``: the model that is used when none is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_runtime.cli.flags import add_format_flag, add_store_flag, print_result, verb_parser

if TYPE_CHECKING:
    from argparse import Namespace


def main(arguments: list[str]) -> int:
    """Runs the verb; the exit code."""
    parser = verb_parser(
        "install",
        "Checks a model file, tries it in a separate process (golden frames, speed), and puts it into "
        "use for every verb without --model. A running service switches to it between two frames. "
        "Until it has given labels for 60 s it is a candidate; one that fails its health check is "
        "rolled back automatically.",
        "edge-runtime install flowers.tflite",
        "edge-runtime install https://models.example/flowers.tflite",
        "edge-runtime install --max-latency-ms 40 large.tflite",
        "edge-runtime install --as-backbone teach-backbone.tflite",
    )
    parser.add_argument("source", metavar="FILE|URL", help="a .tflite file that convert or adopt wrote, or its address")
    parser.add_argument("--backend", choices=("auto", "litert", "tflite"), default="auto", help="try it with this one")
    parser.add_argument(
        "--max-latency-ms",
        type=float,
        metavar="N",
        help="accept up to N ms per frame (default: eight times the time of the installed model)",
    )
    parser.add_argument("--again", action="store_true", help="try a model that was refused before")
    parser.add_argument(
        "--as-backbone",
        action="store_true",
        help="the file is what `teach` puts its models on: keep it for that; the model in use stays",
    )
    add_store_flag(parser)
    add_format_flag(parser)
    flags = parser.parse_args(arguments)

    import dataclasses

    from edge_runtime.installed.install import InstallConfig, Installed, install
    from edge_runtime.store.store import Store

    if flags.as_backbone:
        return _install_backbone(flags)
    config = InstallConfig(flags.backend, flags.max_latency_ms, flags.again)
    installed: Installed = install(flags.source, Store(flags.store), config)

    def text() -> str:
        if not installed.changed:
            return f"{installed.name} ({installed.model[:12]}) is in use already."
        latency = f", {installed.probe.latency_ms:.2f} ms per frame" if installed.probe else ""
        return f"{installed.name} ({installed.model[:12]}{latency}) is in use, a candidate until 60 s of labels."

    print_result(flags.format, text, lambda: {"v": 1, "type": "installed", **dataclasses.asdict(installed)})
    return 0


def _install_backbone(flags: Namespace) -> int:
    from edge_runtime.installed.teach.backbone import install_backbone
    from edge_runtime.store.store import Store

    found = install_backbone(flags.source, Store(flags.store), flags.backend)
    value = {"v": 1, "type": "backbone", "path": str(found.path), "sha256": found.sha256}
    print_result(
        flags.format,
        lambda: (
            f"{found.probe.name} ({found.sha256[:12]}, {found.probe.latency_ms:.2f} ms a frame) is what teach uses now."
        ),
        lambda: value,
    )
    return 0
