"""Writes docs/command-line.md and docs/python-api.md from the parsers and docstrings, so that they cannot be out of date.

Usage: python -m tests.tools.docs.reference
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from unittest import mock

import edge_runtime
from edge_runtime import cli

DOCS = Path(__file__).parents[3] / "docs"
HOST = {
    "python -m train": "train.__main__",
    "python -m train.search": "train.search.__main__",
    "python -m train.sort": "train.sort.__main__",
    "python -m train.zoo": "train.zoo",
    "python -m train.prune": "train.prune",
    "python -m train.transfer.teach_backbone": "train.transfer.teach_backbone",
    "python -m convert": "convert.__main__",
    "python -m convert.compare": "convert.compare.__main__",
    "python -m convert.explain": "convert.explain.__main__",
    "python -m convert.improve": "convert.improve.__main__",
    "python -m convert.pack": "convert.pack",
    "python -m convert.sign": "convert.sign",
}
# The same for every command of the device and of the workstation.
EXIT_CODES = {
    0: "done; `run` and `collect` also after Ctrl-C or SIGTERM",
    1: "the answer is no: the model was refused, the self-test failed, something is missing (`doctor`), the new model is worse",
    2: "the command line is wrong, or a file would be overwritten",
    65: "a model, an image or a data set is damaged or cannot be used",
    66: "a named file or folder does not exist",
    69: "the camera or the broker cannot be reached",
    70: "a bug in this program; please report it",
    73: "an output cannot be written; the same command may work later",
    75: "another process is using the camera or the store",
    76: "a signature or a hash was refused",
    78: "the settings contradict each other, or a package is not installed",
    130: "Ctrl-C, as shells count it (128 + 2)",
}


class _ParserReached(Exception):
    """Carries the parser out of a command line that was about to parse."""


def capture_parser(main: Callable[[Sequence[str]], object]) -> argparse.ArgumentParser:
    """The parser that ``main`` would have parsed its arguments with."""

    def stop(parser: argparse.ArgumentParser, *_: object) -> None:
        raise _ParserReached(parser)

    with mock.patch.object(argparse.ArgumentParser, "parse_args", stop):
        try:
            main([])
        except _ParserReached as reached:
            parser = reached.args[0]
            assert isinstance(parser, argparse.ArgumentParser)
            return parser
    raise AssertionError(f"{main.__module__} never parses its arguments")


def list_parsers() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """(command, parser) of every command line, the device's first."""
    for verb in cli.VERBS:
        module = importlib.import_module(cli.MODULES.get(verb, f"edge_runtime.cli.{verb}"))
        yield f"edge-runtime {verb}", capture_parser(module.main)
    for command, name in HOST.items():
        module = importlib.import_module(name)
        # `run_command` turns what a command raises into an exit code, so the parser is asked for below it.
        yield command, capture_parser(getattr(module, "parse", module.main))


def render_command(command: str, parser: argparse.ArgumentParser) -> str:
    """One section: what it does, its examples, and a row per flag."""
    lines = [f"## {command}", "", _escape(parser.description or ""), ""]
    examples = [line.strip() for line in (parser.epilog or "").splitlines()]
    commands = [line.removeprefix("example: ") for line in examples if "edge-runtime " in line or "python -m" in line]
    if commands:
        lines += ["```console", *(f"$ {line}" for line in commands), "```", ""]
    rows = [action for action in parser._actions if action.dest != "help" and action.help is not argparse.SUPPRESS]
    if rows:
        lines += ["| flag | meaning |", "|---|---|"]
        lines += [f"| {_name(parser, action)} | {_help(parser, action)} |" for action in rows]
    return "\n".join(lines) + "\n"


def _name(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    formatter = parser._get_formatter()
    if not action.option_strings:
        return f"`{action.metavar or action.dest}`".replace("|", "\\|")
    value = "" if action.nargs == 0 else " " + formatter._format_args(action, action.dest.upper())
    return f"`{', '.join(action.option_strings)}{value}`".replace("|", "\\|")


def _help(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    return _escape(parser._get_formatter()._expand_help(action) if action.help else "")


def _escape(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def render_command_line() -> str:
    """The page of every command line."""
    head = (
        "# Command line\n\nMade from the programs' own help by `make reference`. `edge-runtime VERB --help` prints the "
        "same.\n\n"
    )
    codes = "\n".join(f"| {code} | {cause} |" for code, cause in EXIT_CODES.items())
    head += (
        "`--quiet` leaves results on stdout and errors on stderr, and nothing else; `make -s` passes it on.\n\n"
        f"## Exit codes\n\n| code | cause |\n|---|---|\n{codes}\n\n"
    )
    return head + "\n".join(render_command(command, parser) for command, parser in list_parsers())


def render_api() -> str:
    """The page of what `edge_runtime` exports."""
    parts = [
        "# Python API\n\nMade from the docstrings by `make reference`. Everything else in the package may change.\n",
        "```python\nfrom edge_runtime import Classifier, open_camera\n\n"
        'with Classifier("model.tflite") as classifier, open_camera(0) as frames:\n'
        "    for frame in frames:\n        print(classifier.classify(frame))\n```\n",
    ]
    exported = [(name, getattr(edge_runtime, name)) for name in edge_runtime.__all__ if name != "__version__"]
    errors = [(name, value) for name, value in exported if inspect.isclass(value) and issubclass(value, Exception)]
    for name, value in exported:
        if (name, value) not in errors:
            parts.append(_render_object(name, value))
    parts.append("## Errors\n\n| error | exit code | meaning |\n|---|---|---|")
    parts += [
        f"| `{name}` | {value.exit_code} | {_escape(inspect.getdoc(value) or '')} |"
        for name, value in sorted(errors, key=lambda pair: pair[1].exit_code)
    ]
    return "\n".join(parts) + "\n"


def _render_object(name: str, value: object) -> str:
    lines = [f"## {name}", ""]
    if not inspect.isclass(value):
        return "\n".join([*lines, _signature(name, value), "", _docstring(value), ""])
    if "__init__" in vars(value) and not getattr(value, "_is_protocol", False):
        lines += [_signature(name, value), ""]
    lines += [_docstring(value), ""]
    init = vars(value).get("__init__")
    if init is not None and init.__doc__:
        lines += [_docstring(init), ""]
    for key, member in vars(value).items():
        if key.startswith("_"):
            continue
        if inspect.isfunction(member):
            lines += [f"### {name}.{key}", "", _signature(key, member), "", _docstring(member), ""]
        elif isinstance(member, property) and member.__doc__:
            lines += [f"### {name}.{key}", "", _docstring(member), ""]
    return "\n".join(lines)


def _signature(name: str, value: object) -> str:
    assert callable(value)
    text = re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(inspect.signature(value)))
    text = re.sub(r"\(self(, )?", "(", text)
    return f"```python\n{name}{text}\n```"


def _docstring(value: object) -> str:
    """The docstring as Markdown: names of arguments and errors in lists."""
    text = (inspect.getdoc(value) or "").replace("``", "`")
    return re.sub(r"^ {4}(\w+): ", r"- `\1`: ", re.sub(r"^(Args|Raises):$", r"\1:\n", text, flags=re.M), flags=re.M)


def main() -> int:
    """Writes both pages."""
    (DOCS / "command-line.md").write_text(render_command_line(), encoding="utf-8")
    (DOCS / "python-api.md").write_text(render_api(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
