"""``edge-runtime status``: which model is in use, and what happened to others."""

from __future__ import annotations

from edge_runtime.cli.flags import add_format_flag, add_store_flag, print_result, verb_parser


def main(arguments: list[str]) -> int:
    """Runs the verb; the exit code."""
    parser = verb_parser(
        "status",
        "Shows which installed model is in use, whether it is still a candidate, what it would roll back to and what "
        "was refused. Ends with 65 when the model in use is damaged.",
        "edge-runtime status",
        "edge-runtime status --format jsonl",
    )
    add_store_flag(parser)
    add_format_flag(parser)
    flags = parser.parse_args(arguments)

    import dataclasses
    from functools import partial

    from edge_runtime.model.model_file import open_model
    from edge_runtime.store.store import Store

    store = Store(flags.store)
    state = store.state()
    model = open_model(store.path_of(state.current))
    before = state.history[-2] if len(state.history) > 1 else None

    def text() -> str:
        rows = [
            ("in use", f"{model.contract.spec.name}, {state.current[:12]}, {model.path}"),
            ("state", f"candidate, {state.failed_starts} failed starts" if state.probation else "health check passed"),
            ("rolls back to", before[:12] if before else "nothing"),
            ("versions from", str(state.floor)),
            *(("refused", f"{name[:12]}: {reason}") for name, reason in state.refused.items()),
            ("store", str(store.folder)),
        ]
        return "\n".join(f"{name:>14}  {value}" for name, value in rows)

    value = {"name": model.contract.spec.name, "current": state.current, "path": str(model.path)}
    print_result(flags.format, text, partial(dict, {**dataclasses.asdict(state), **value}, v=1, type="store"))
    return 0
