"""The parser of one verb: a mistake is one line with the likely right spelling, never a dump of the usage.

Imported when a verb is called, because argparse costs start-up time that ``--help`` alone should not.
"""

from __future__ import annotations

import argparse
import re
from typing import Any, NoReturn

from edge_runtime.errors import UsageError

# Passed in place of arguments, this makes a verb show its parser instead of doing its work.
SHOW_PARSER = "\0show-parser"


class ParserShown(Exception):
    """Carries the parser of a verb to the caller that passed `SHOW_PARSER`."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        super().__init__(parser.prog)
        self.parser = parser


class VerbParser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are `UsageError`: what was wrong, what was probably meant, where to find help."""

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does, but a value such as ``-1..1`` is not taken for a flag. Raises ParserShown when asked to."""
        if args == [SHOW_PARSER]:
            raise ParserShown(self)
        self._negative_number_matcher = re.compile(r"-\.?\d")
        return super().parse_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Raises UsageError.

        Raises:
            UsageError: always; argparse reports every mistake on the command line this way.
        """
        raise UsageError(f"{message[:1].upper()}{message[1:]}{self._guess(message)}; see {self.prog} --help.")

    def _guess(self, message: str) -> str:
        flags = [option for action in self._actions for option in action.option_strings]
        if unknown := re.match(r"unrecognized arguments: (--[\w-]+)", message):
            return suggest(unknown.group(1), flags)
        if choice := re.match(r"argument ([^:]+): invalid choice: '([^']*)'", message):
            for action in self._actions:
                if choice.group(1) in ("/".join(action.option_strings), action.metavar, action.dest):
                    return suggest(choice.group(2), [str(known) for known in action.choices or ()])
        return ""


def add_quiet_flag(parser: argparse.ArgumentParser) -> None:
    """Adds --quiet, which is spelt the same in every command."""
    parser.add_argument("--quiet", action="store_true", help="print results, and nothing to stderr but errors")


def suggest(given: str, known: list[str]) -> str:
    """ "; did you mean X" when one of ``known`` is spelt much like ``given``, else ""."""
    import difflib  # only after a mistake: start-up time

    close = difflib.get_close_matches(given, known, n=1)
    return f"; did you mean {close[0]}" if close else ""
