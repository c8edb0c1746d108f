"""A gate in a forked child: what is in memory is not shared, so nothing with a limit runs there."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

FORKED = """
import os, sys
from agent_airlock import *

set_global_tracker(CostTracker(budget=BudgetConfig(max_cost_per_session="0.10")))
ledger = MemoryLedger()
capped = Airlock(cost=Cost("0.01 USD"))(lambda: "ran")
set_budget = SecurityPolicy(budgets=[Budget("global", "0.10 USD")])

def stream():
    yield "ran"
    yield "ran"

limited = Airlock(policy=set_budget, ledger=ledger, cost=Cost("0.01 USD"))(stream)
open_stream = limited()
assert next(open_stream) == "ran" and capped() == "ran"
child = os.fork()
if not child:
    assert capped()["block_reason"] == "ledger_unavailable", "a session cap"
    try:
        next(limited())
    except AirlockBlocked as block:
        assert block.reason is BlockReason.LEDGER_UNAVAILABLE
    else:
        raise AssertionError("a budget")
    set_global_tracker(CostTracker())
    assert Airlock(cost=Cost("0.01 USD"))(lambda: "ran")() == "ran", "what only counts starts afresh"
    del open_stream
    sys.exit(0)
_, status = os.waitpid(child, 0)
assert status == 0, "the child failed"
assert list(open_stream) == ["ran"] and capped() == "ran"
summary = get_global_tracker().get_summary()
assert (str(summary.total_cost), summary.total_calls, summary.in_flight) == ("0.030000000", 3, 0), summary
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_money_1_a_forked_child_has_no_copy_of_the_cap() -> None:
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr.replace("presumed", "")) == (0, ""), done.stderr
