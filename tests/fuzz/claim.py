"""What every harness claims: any input gives a value or one of the package's own errors, within bounded steps."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import HealthCheck, settings

from edge_runtime.errors import EdgeRuntimeError, InternalError

# Far above what any of these small inputs costs on a slow machine; what takes longer has no end in sight.
_MOST_CPU_S = 20.0
_EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))


def fuzzed(num_examples: int) -> settings:
    """The settings of a harness: always the same ``num_examples``, or with FUZZ_EXAMPLES so many random ones."""
    return settings(
        max_examples=_EXAMPLES or num_examples,
        derandomize=not _EXAMPLES,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def parsed(parse: Callable[..., Any], *arguments: Any) -> Any:
    """What ``parse`` gives, None when it refuses with one of the package's errors; anything else fails the test."""
    with _bounded():
        try:
            return parse(*arguments)
        except InternalError:
            raise
        except EdgeRuntimeError as error:
            assert str(error).strip(), f"{type(error).__name__} says nothing"
            return None


@contextlib.contextmanager
def _bounded() -> Iterator[None]:
    """AssertionError when what is inside takes more processor time than any input may cost."""

    def stop(number: int, frame: object) -> None:
        raise AssertionError(f"this input took more than {_MOST_CPU_S:g} s of processor time")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, _MOST_CPU_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
