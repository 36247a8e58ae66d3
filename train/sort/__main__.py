"""The command line of sorting: reads the frames, serves the page until it is interrupted."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import secrets
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from edge_runtime.cli.verb_parser import VerbParser
from edge_runtime.errors import OutputError, UsageError
from edge_runtime.system.command import run_command
from train.sort.class_folders import ClassFolders
from train.sort.index import ImageIndex
from train.sort.session import Session

EXAMPLES = """examples:
  python -m train.sort frames --into photos   # classes as in photos, or as the model has them
  python -m train.sort frames --into photos --labels mug pen nothing
  python -m train.sort --into photos --labels mug pen --capture   # take images with this machine's camera
"""
PORT = 8090


def make_parser() -> argparse.ArgumentParser:
    """All flags, with examples."""
    flags = VerbParser(
        prog="python -m train.sort",
        description="Shows saved frames on a local page, grouped, and copies them into class folders key by key.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    flags.add_argument("source", nargs="?", type=Path, metavar="FROM", help="folder with saved frames, left as it is")
    flags.add_argument("--into", type=Path, required=True, metavar="DIR", help="folder with one folder per class")
    flags.add_argument("--labels", nargs="+", default=[], metavar="CLASS", help="classes in the order of their keys")
    flags.add_argument("--capture", action="store_true", help="take images with the browser's camera as well")
    flags.add_argument("--port", type=int, help=f"default: {PORT}, or any that is free")
    return flags


def sort(args: argparse.Namespace) -> None:
    """Serves the page until it is interrupted.

    Raises:
        UsageError: there is nothing to sort, or one folder lies in the other.
        OutputError: the port is in use.
    """
    if args.source is None and not args.capture:
        raise UsageError("There is nothing to sort: give the folder with the frames, or --capture.")
    if args.source is not None:
        _expect_apart(args.source.expanduser().resolve(), args.into.expanduser().resolve())
    import uvicorn

    from edge_runtime.outputs.web.config import WebConfig
    from train.sort.app import build_app

    listener = _listen(args.port)
    port = listener.getsockname()[1]
    index = ImageIndex(_cache(args.into))
    folders = ClassFolders(args.into.expanduser(), index)
    try:
        source = None if args.source is None else args.source.expanduser()
        session = Session(source, folders, index, args.labels, sys.stderr)
        token = secrets.token_urlsafe(24)
        app = build_app(WebConfig("127.0.0.1", port), session, token, capture=args.capture)
        print(_found(session), file=sys.stderr)
        print(f"sort here: http://127.0.0.1:{port}/{token}/  (Ctrl-C ends it)", file=sys.stderr, flush=True)
        options = {"log_level": "critical", "access_log": False, "ws": "none", "lifespan": "off", "loop": "asyncio"}
        config = uvicorn.Config(app, server_header=False, timeout_graceful_shutdown=1, **options)  # type: ignore[arg-type]
        with contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])
    finally:
        folders.close()
        index.close()
        listener.close()


def _expect_apart(source: Path, into: Path) -> None:
    if source == into or source in into.parents or into in source.parents:
        raise UsageError(
            f"{source} and {into} lie one in the other, so sorted images would count as frames again; expected two "
            "folders side by side."
        )


def _found(session: Session) -> str:
    left = sum(len(tile.members) for tile in session.tiles())
    parts = [f"{left} frames to sort", f"{len(session.frames) - left} sorted already"]
    parts += [f"{session.num_copies} copies left out"] if session.num_copies else []
    parts += [f"{session.num_unreadable} files that are not images left out"] if session.num_unreadable else []
    return ", ".join(parts)


def _cache(into: Path) -> Path:
    """Where thumbnails are kept between two sessions."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edge-runtime"
    return base / f"sort-{hashlib.sha256(str(into.expanduser().resolve()).encode()).hexdigest()[:16]}.db"


def _listen(port: int | None) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        try:
            listener.bind(("127.0.0.1", PORT if port is None else port))
        except OSError:
            if port is not None:
                raise
            listener.bind(("127.0.0.1", 0))
        listener.listen(64)
    except (OSError, OverflowError) as error:
        listener.close()
        raise OutputError(f"The page cannot be served on port {port} ({error}); choose another with --port.") from error
    return listener


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; the exit code."""
    return run_command(lambda: sort(make_parser().parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())
