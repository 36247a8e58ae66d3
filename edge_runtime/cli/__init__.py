"""``edge-runtime VERB``: finds the verb, and turns errors into one line and an exit code.

stdout carries results only, stderr is for people, nothing ever prompts. A verb's module is imported when it is called,
because start-up time is most of what classifying one image costs.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

from edge_runtime.cli.flag_names import name_flags
from edge_runtime.errors import EdgeRuntimeError, UsageError
from edge_runtime.system.printable import printable
from edge_runtime.system.redact import find_addresses, hide_address, redact_arguments

# In the order of the help; each is a module of this folder unless `MODULES` says where it is.
VERBS = {
    "run": "label what a camera sees, until it ends or Ctrl-C",
    "classify": "label image files",
    "collect": "save training images of one class from a camera",
    "teach": "make a provisional model here from a few photos per class",
    "info": "what a model file expects and how accurate it is",
    "selftest": "replay the golden frames that travel in the model file",
    "bench": "time every stage between a frame and its label",
    "doctor": "what is missing on this device, and how to get it",
    "adopt": "add a contract to a model by others, so that it can be installed",
    "install": "put a model file into use, after trying it",
    "status": "which installed model is in use",
    "rollback": "go back to the previous model",
    "trust": "accept only models signed with this key",
    "service": "print a systemd unit that starts it at boot",
    "completion": "print the shell completion of verbs and flags",
}

MODULES = {
    "run": "edge_runtime.cli.run.command",
    "service": "edge_runtime.cli.run.service",
    "install": "edge_runtime.cli.store.install",
    "status": "edge_runtime.cli.store.status",
    "rollback": "edge_runtime.cli.store.rollback",
    "trust": "edge_runtime.cli.store.trust",
    "teach": "edge_runtime.cli.teach.command",
}

USAGE = """\
usage: edge-runtime VERB [options]

Classifies camera frames with one .tflite file.

verbs:
{verbs}

examples:
  edge-runtime classify photo.jpg
  edge-runtime run --camera 0
  edge-runtime run --model flowers.tflite --camera clip.mp4 --format jsonl
  edge-runtime VERB --help

Without --model the installed model is used, else the package's default one.
exit codes: 0 ok, 1 failure, 2 usage, 65 bad model or data, 66 input missing, 69 camera unavailable, 70 internal,
73 output cannot be written, 75 camera already in use, 76 signature refused, 78 configuration
"""


def write_usage() -> str:
    """The help without a verb."""
    return USAGE.format(verbs="\n".join(f"  {verb:<10} {what}" for verb, what in VERBS.items()))


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one verb and returns the exit code; never raises what a user can cause."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    _print_any_name()
    _hide_addresses(arguments)
    try:
        return _dispatch(arguments)
    except EdgeRuntimeError as error:
        print(printable(f"edge-runtime: {redact_arguments(name_flags(error), arguments)}"), file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        # The reader of our results has left (for example `| head`); point stdout elsewhere so that Python's last flush
        # is quiet.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except MemoryError:
        print("edge-runtime: There is not enough memory for this model or image; try a smaller one.", file=sys.stderr)
        return 65
    except OSError as error:
        print(f"edge-runtime: {error}; check the disk and who may write there.", file=sys.stderr)
        return 73
    except SystemExit as error:  # argparse: 0 after --help, 2 after a usage error
        return error.code if isinstance(error.code, int) else 2
    except Exception:  # the last resort: anything caught here is a bug of ours and gets the exit code for bugs
        import traceback

        traceback.print_exc()
        print("edge-runtime: this is a bug in edge-runtime; please report it with the lines above.", file=sys.stderr)
        return 70


def _hide_addresses(arguments: Sequence[str]) -> None:
    """Hides addresses, since every user of this machine may read the process list."""
    for address in find_addresses(arguments):
        hide_address(address)


def _print_any_name() -> None:
    """A file name that is not UTF-8 must not end a run when it is printed."""
    import io

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(write_usage(), end="", file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else 2
    if arguments[0] == "--version":
        from edge_runtime.version import __version__

        print(__version__)
        return 0
    if arguments[0] not in VERBS:
        from edge_runtime.cli.verb_parser import suggest

        guess = suggest(arguments[0], list(VERBS)) or f", expected one of {', '.join(VERBS)}"
        raise UsageError(f"There is no verb {arguments[0]!r}{guess}; see edge-runtime --help.")
    from edge_runtime.cli.stderr_log import log_to_stderr

    log_to_stderr()
    module = importlib.import_module(MODULES.get(arguments[0], f"edge_runtime.cli.{arguments[0]}"))
    return int(module.main(arguments[1:]))
