"""``edge-runtime rollback``: goes back to the previous model."""

from __future__ import annotations

from edge_runtime.cli.flags import add_format_flag, add_store_flag, print_result, verb_parser


def main(arguments: list[str]) -> int:
    """Runs the verb; the exit code."""
    parser = verb_parser(
        "rollback",
        "Goes back to the previous model; a running service switches between two frames. With "
        "--refuse, the model that you leave is remembered and not installed again unless you ask for "
        "it.",
        "edge-runtime rollback",
        "edge-runtime rollback --refuse 'wrong labels at night'",
    )
    parser.add_argument("--refuse", metavar="REASON", help="remember that the model in use must not come back, and why")
    add_store_flag(parser)
    add_format_flag(parser)
    flags = parser.parse_args(arguments)

    from edge_runtime.store.store import Store

    state = Store(flags.store).rollback(flags.refuse)
    print_result(
        flags.format,
        lambda: f"{state.current[:12]} is in use again.",
        lambda: {"v": 1, "type": "rolled-back", "current": state.current},
    )
    return 0
