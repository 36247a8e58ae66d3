"""``edge-runtime status``: which model is in use, and what happened to others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_runtime.cli.flags import add_format_flag, add_store_flag, print_result, verb_parser

if TYPE_CHECKING:
    from edge_runtime.store.runs import RunCount


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

    from edge_runtime.installed.first_run import FirstRun, try_unknown
    from edge_runtime.model.model_file import open_model
    from edge_runtime.store.runs import count_runs
    from edge_runtime.store.store import Store

    store = Store(flags.store)
    state = store.state()
    model = open_model(store.path_of(state.current), meet_unproved=try_unknown(FirstRun(())))
    signature = model.signature
    runs = count_runs(store.folder, state.current)
    runs = dataclasses.replace(runs, num_failed=runs.num_failed + state.failed_starts)
    before = state.history[-2] if len(state.history) > 1 else None

    provisional = model.contract.provisional

    def text() -> str:
        rows = [
            ("in use", f"{model.contract.spec.name}, {state.current[:12]}, {model.path}"),
            ("state", format_candidate(runs) if state.probation else "health check passed"),
            *([("accuracy", str(provisional))] if provisional else []),
            ("signed by", f"{signature.key_id}, version {signature.version}" if signature else "nobody"),
            ("rolls back to", before[:12] if before else "nothing"),
            ("versions from", str(state.floor)),
            *(("refused", f"{name[:12]}: {reason}") for name, reason in state.refused.items()),
            ("store", str(store.folder)),
        ]
        return "\n".join(f"{name:>14}  {value}" for name, value in rows)

    value: dict[str, object] = {"open_runs": runs.num_open, "failed_starts": runs.num_failed}
    value |= {"name": model.contract.spec.name, "current": state.current, "path": str(model.path)}
    value |= {"signed_by": signature.key_id if signature else None}
    value |= {"provisional": None if provisional is None else str(provisional)}
    print_result(flags.format, text, partial(dict, {**dataclasses.asdict(state), **value}, v=1, type="store"))
    return 0


def format_candidate(runs: RunCount) -> str:
    """What a candidate has done so far."""
    now = "a run is trying it now" if runs.num_open else "no run is trying it now"
    return f"candidate: {now}, {runs.num_failed} ended badly"
