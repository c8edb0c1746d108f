"""Flows that a finaliser must not run itself.

A generator that nobody exhausts is closed by the garbage collector, at any point of any thread: also while
that thread holds a ledger's lock, where settling would wait for itself for ever. So a finaliser only puts its
flow here; the next command runs it, and the end of the process runs the rest.
"""

from __future__ import annotations

import atexit
import logging
import os
from queue import Empty, SimpleQueue
from threading import get_ident
from typing import Final

from ..events import log
from .flow import Flow, drive

_QUEUE: Final[SimpleQueue[Flow[None]]] = SimpleQueue()

_draining: Final[set[int]] = set()
"""The threads that run such flows now."""

waiting = _QUEUE.qsize
"""How many flows wait."""


def later(flow: Flow[None]) -> None:
    """Run ``flow``, whose books are sync, at the next command. Takes no lock: any finaliser may call it."""
    _QUEUE.put(flow)


def drain() -> None:
    """Run the flows that wait. What one raises is logged: it is no error of the command that runs it."""
    me = get_ident()
    if me in _draining:
        return  # a flow's own command: the loop below is running already
    _draining.add(me)
    try:
        while True:
            try:
                flow = _QUEUE.get_nowait()
            except Empty:
                return
            try:
                drive(flow)
            except Exception as error:
                message = "a stream that nobody exhausted could not be settled; its lease ends it"
                log(logging.ERROR, message, error=error)
    finally:
        _draining.discard(me)


def _forget() -> None:
    """In a forked child: these flows belong to the parent, which will run them; and only this thread lives on."""
    _draining.clear()
    while not _QUEUE.empty():
        _QUEUE.get_nowait().close()


atexit.register(drain)
if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_forget)
