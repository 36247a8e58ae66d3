"""``edge-runtime service``: prints a systemd unit that runs it at boot."""

from __future__ import annotations

from pathlib import Path

from edge_runtime.cli.flags import add_format_flag, print_result, verb_parser


def main(arguments: list[str]) -> int:
    """Runs the verb; the exit code."""
    parser = verb_parser(
        "service",
        "Prints a hardened systemd unit that labels what the camera sees from boot, restarts when it "
        "hangs, and uses the installed model. What follows -- goes to edge-runtime run.",
        "edge-runtime service -- --camera 0 | sudo tee /etc/systemd/system/edge-runtime.service",
        "edge-runtime service --memory-mb 300 -- --camera csi --hold 3/5",
    )
    parser.add_argument("run", nargs="*", metavar="-- RUN_FLAGS", help="flags of edge-runtime run, after --")
    parser.add_argument("--program", metavar="FILE", help="the edge-runtime program (default: this one)")
    parser.add_argument("--memory-mb", type=int, default=400, metavar="N", help="limit for all processes (default 400)")
    add_format_flag(parser)
    flags = parser.parse_args(arguments)

    import sys

    from edge_runtime.cli.run.command import run_parser

    run_flags = run_parser().parse_args(flags.run)
    if flags.run:  # without flags there is nothing to check, and what a run needs need not be installed
        from edge_runtime.cli.run.unit_checks import check_unit_flags

        check_unit_flags(run_flags)  # a unit that cannot start is not printed
    from edge_runtime.cli.run.systemd_unit import ServiceConfig, write_unit_text

    script = find_lasting_program(Path(sys.executable).with_name("edge-runtime"))
    default = (str(script),) if script.exists() else (sys.executable, "-m", "edge_runtime")
    program = (flags.program,) if flags.program else default
    text = write_unit_text(ServiceConfig(program, tuple(flags.run), flags.memory_mb))
    print_result(flags.format, lambda: text.rstrip("\n"), lambda: {"v": 1, "type": "unit", "text": text})
    return 0


def find_lasting_program(script: Path) -> Path:
    """``script``, through the link ``current`` where that names its release: the next release moves the link."""
    release = script.parent.parent
    current = release.parent.with_name("current")
    if release.parent.name == "releases" and current.is_symlink() and current.resolve() == release.resolve():
        return current / script.relative_to(release)
    return script
