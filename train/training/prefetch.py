"""Computes the next items in a thread while the current one is used."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from typing import Any, TypeVar

Item = TypeVar("Item")
PREFETCH = 4


def prefetch(items: Iterator[Item]) -> Generator[Item, None, None]:
    """The items of ``items``, computed up to PREFETCH ahead in a thread; an error there is raised here."""
    ready: queue.Queue[tuple[str, Any]] = queue.Queue(PREFETCH)
    stopped = threading.Event()

    def offer(item: tuple[str, Any]) -> bool:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.2)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for item in items:
                if not offer(("item", item)):
                    return
            offer(("end", None))
        except BaseException as error:  # handed over and raised in the consumer
            offer(("error", error))

    thread = threading.Thread(target=work, name="batches", daemon=True)
    thread.start()
    try:
        while True:
            kind, value = ready.get()
            if kind == "end":
                return
            if kind == "error":
                raise value
            yield value
    finally:
        stopped.set()
        thread.join()
