"""Many threads that start at one moment, switched as often as Python can."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

R = TypeVar("R")


@contextmanager
def restless(seconds: float = 1e-6) -> Iterator[None]:
    """Threads are switched between any two steps, not every five milliseconds."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(seconds)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


def at_once(jobs: list[Callable[[], R]]) -> list[R]:
    """What each job returned. An error of one is an error of all."""
    start = threading.Barrier(len(jobs))
    results: list[R | None] = [None] * len(jobs)
    errors: list[BaseException] = []

    def run(number: int) -> None:
        try:
            start.wait(30)
            results[number] = jobs[number]()
        except BaseException as error:
            errors.append(error)
            raise

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(len(jobs))]
    hook, threading.excepthook = threading.excepthook, lambda args: None
    try:
        with restless():
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
    finally:
        threading.excepthook = hook
    assert not any(thread.is_alive() for thread in threads), "a thread hangs"
    if errors:
        raise errors[0]
    return results  # type: ignore[return-value]
