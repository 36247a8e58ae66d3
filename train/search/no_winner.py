"""Why a search has no network to show, in people's words, and what to change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from train.search.space import Budget


def explain_no_winner(found: Mapping[int, dict[str, Any]], num_begun: int, budget: Budget) -> str:
    """Why a search has no network to show, and what to change; ``found`` are the finished trials by number."""
    if not num_begun:
        return "The search ended before a single network was trained. Give more time: --minutes 60."
    if not found:
        return (
            f"{num_begun} networks were begun and none was finished, so there is nothing to choose from. Give more "
            "time (--minutes 60), or let each take less: fewer --epochs, smaller --sizes such as --sizes 32."
        )
    nearest = min(found.values(), key=budget.excess)
    has = [
        f"{nearest[key] / unit:,.4g} {name} instead of at most {limit / unit:,.4g}"
        for name, key, unit, limit in (
            ("kB", "bytes", 1000, budget.max_bytes),
            ("million multiplications", "macs", 1e6, budget.max_macs),
            ("milliseconds", "latency_ms", 1, budget.max_latency_ms),
        )
        if limit is not None and nearest.get(key, 0) > limit
    ]
    over = ", ".join(has) or "more time than the file given with --like"
    return (
        f"None of the {len(found)} networks that were trained is small or fast enough. The nearest, "
        f"{nearest['model']}, has {over}. Allow that much, give more --minutes, or smaller --sizes."
    )
