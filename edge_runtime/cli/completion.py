"""``edge-runtime completion``: a script that completes verbs, flags and values, taken from the verbs' parsers."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Mapping
from dataclasses import dataclass

from edge_runtime.cli.flags import verb_parser
from edge_runtime.cli.verb_parser import SHOW_PARSER, ParserShown

SHELLS = ("bash", "zsh", "fish")
_BASH = """\
# Completion for edge-runtime, made by: edge-runtime completion {shell}
{begin}_edge_runtime() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} words=
    if [ "$COMP_CWORD" = 1 ]; then
        words="{verbs}"
    else
        case "${{COMP_WORDS[1]}} $previous" in
{values}
        esac
        if [ -z "$words" ] && [ "${{current#-}}" != "$current" ]; then
            case "${{COMP_WORDS[1]}}" in
{flags}
            esac
        fi
    fi
    COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o default -F _edge_runtime edge-runtime
"""


@dataclass(frozen=True)
class Flag:
    """One spelling of a flag, its help, the values that it may have, and whether it takes a value."""

    name: str
    help: str
    choices: tuple[str, ...]
    takes_value: bool


def main(arguments: list[str]) -> int:
    """Runs the verb; the exit code."""
    parser = verb_parser(
        "completion",
        "Prints a script with which the shell completes verbs and flags. Source it, or put it where the shell looks.",
        "edge-runtime completion bash > ~/.local/share/bash-completion/completions/edge-runtime",
        "edge-runtime completion zsh >> ~/.zshrc",
        "edge-runtime completion fish > ~/.config/fish/completions/edge-runtime.fish",
    )
    parser.add_argument("shell", choices=SHELLS, help="the shell to write it for")
    shell = parser.parse_args(arguments).shell
    print(write_script(shell, collect_flags()), end="")
    return 0


def collect_flags() -> dict[str, tuple[Flag, ...]]:
    """The flags of every verb, taken from its parser."""
    from edge_runtime.cli import MODULES, VERBS

    found = {}
    for verb in VERBS:
        module = importlib.import_module(MODULES.get(verb, f"edge_runtime.cli.{verb}"))
        try:
            module.main([SHOW_PARSER])
        except ParserShown as shown:
            found[verb] = tuple(_list_flags(shown.parser))
    return found


def _list_flags(parser: argparse.ArgumentParser) -> list[Flag]:
    found = []
    for action in parser._actions:
        choices = tuple(str(choice) for choice in action.choices or ())
        text = " ".join(parser._get_formatter()._expand_help(action).split()) if action.help else ""
        found += [Flag(name, text, choices, action.nargs != 0) for name in action.option_strings if name != "-h"]
    return found


def write_script(shell: str, flags: Mapping[str, tuple[Flag, ...]]) -> str:
    """The script for ``shell``, one of `SHELLS`."""
    return _write_fish(flags) if shell == "fish" else _write_bash(shell, flags)


def _write_bash(shell: str, flags: Mapping[str, tuple[Flag, ...]]) -> str:
    """For Bash, and for Zsh, which accepts the same script through its bashcompinit."""
    indent = " " * 12
    values = [
        f'{indent}"{verb} {flag.name}") words="{" ".join(flag.choices)}" ;;'
        for verb, known in flags.items()
        for flag in known
        if flag.choices
    ]
    names = [f'{indent}    {verb}) words="{" ".join(flag.name for flag in known)}" ;;' for verb, known in flags.items()]
    begin = "autoload -U +X compinit bashcompinit && compinit && bashcompinit\n" if shell == "zsh" else ""
    return _BASH.format(
        shell=shell, begin=begin, verbs=" ".join(flags), values="\n".join(values), flags="\n".join(names)
    )


def _write_fish(flags: Mapping[str, tuple[Flag, ...]]) -> str:
    from edge_runtime.cli import VERBS

    lines = ["# Completion for edge-runtime, made by: edge-runtime completion fish"]
    lines += [
        f"complete -c edge-runtime -n __fish_use_subcommand -f -a {verb} -d {_quote(VERBS[verb])}" for verb in flags
    ]
    for verb, known in flags.items():
        for flag in known:
            spelling = f"-l {flag.name[2:]}" if flag.name.startswith("--") else f"-s {flag.name[1:]}"
            value = f" -x -a {_quote(' '.join(flag.choices))}" if flag.choices else " -r" if flag.takes_value else ""
            condition = f"'__fish_seen_subcommand_from {verb}'"
            lines.append(f"complete -c edge-runtime -n {condition} {spelling}{value} -d {_quote(flag.help)}")
    return "\n".join(lines) + "\n"


def _quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
