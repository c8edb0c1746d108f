"""Fixtures of the ledger's suite: each test that takes one runs on every ledger of the table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.ledger.ledgers import LEDGERS, Bench, open_bench


@pytest.fixture(params=LEDGERS)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """A new ledger on a clock to move; audited when the test is over."""
    with open_bench(request.param) as bench:
        yield bench


@pytest.fixture(params=LEDGERS)
def open_ledger(request: pytest.FixtureRequest) -> Iterator[Callable[..., Bench]]:
    """Opens benches with options, as many as a test wants; each is audited when the test is over."""
    with ExitStack() as benches:
        yield lambda **options: benches.enter_context(open_bench(request.param, **options))
