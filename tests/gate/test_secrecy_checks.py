"""A marker passed through every argument of calls that each check meets: nobody but the caller sees it again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agent_airlock import (
    Airlock,
    AirlockBlocked,
    AirlockConfig,
    AirlockContext,
    Budget,
    Capability,
    CapabilityPolicy,
    Cost,
    EndpointPolicy,
    FilesystemPolicy,
    RateLimit,
    SecurityPolicy,
    requires,
)
from agent_airlock.ledger.commands import Entries
from tests.gate.rig import Events, Recording, all_logs, balances

MARKER = "hunter2-7d3e"


@dataclass
class Options:
    path: str
    urls: list[str]


@requires(Capability.PROCESS_EXEC)
def touch(text: str, path: str, url: str, options: Options, *rest: str, **more: str) -> str:
    return MARKER


ARGUMENTS: list[dict[str, Any]] = [
    {"path": f"/{MARKER}/../etc", "url": f"http://{MARKER}@127.0.0.1/"},
    {"path": f"{{root}}/{MARKER}", "url": f"http://{MARKER}.internal/"},
    {"path": f"file:///{MARKER}", "url": f"javascript:{MARKER}"},
    {"path": f"~{MARKER}/x", "url": f"http://0x7f.1/{MARKER}"},
    {"path": f"{{root}}/{MARKER}\0", "url": f"http://example.com\\@{MARKER}/"},
    {"path": f"{{root}}/%2e%2e/{MARKER}", "url": f"http://[::1%25{MARKER}]/"},
    {"path": f"{{root}}/{MARKER}.key", "url": f"http://denied.example/{MARKER}"},
]
POLICIES: dict[str, dict[str, Any]] = {
    "nothing": {},
    "tools": {"denied_tools": ["touch"]},
    "roles": {"allowed_roles": ["ops"]},
    "hours": {"time_restrictions": {"*": "12:00-12:01"}},
    "rates": {"rate_limits": {"*": "0/hour"}},
    "observed rates": {"rate_limits": {"*": RateLimit(0, "hour", mode="observe")}},
    "capabilities": {"capability_policy": CapabilityPolicy(Capability.NONE)},
    "budgets": {"budgets": [Budget("session:*", "0.001 USD")]},
}


@pytest.mark.parametrize("on_block", ["return", "raise"])
@pytest.mark.parametrize("mode", ["enforce", "observe"])
@pytest.mark.parametrize("unknown", ["block", "strip_and_log"])
@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_a_marker_in_every_argument_is_in_no_log_event_block_or_entry(
    policy: dict[str, Any], unknown: Any, mode: Any, on_block: Any, tmp_path: Path
) -> None:
    told: list[Any] = []
    events, ledger = Events(), Recording()
    config = AirlockConfig(
        unknown_args=unknown,
        filesystem_policy=FilesystemPolicy([tmp_path], deny_patterns=["*.key"]),
        endpoint_policies={"*": EndpointPolicy(blocked_patterns=("denied.*",))},
        on_event=events.heard.append,
        on_blocked=told.append,
        on_validation_error=told.append,
        on_rate_limit=told.append,
    )
    options: dict[str, Any] = {"config": config, "ledger": ledger, "cost": Cost("0.01 USD"), "on_block": on_block}
    gated: Any = Airlock(policy=SecurityPolicy(**policy, mode=mode), **options)(touch)
    with all_logs() as logs, AirlockContext(agent_id="a", metadata={"password": MARKER}, user_context=MARKER):
        for arguments in ARGUMENTS:
            given = {name: text.format(root=tmp_path) for name, text in arguments.items()}
            for extra in ({}, {"_airlock_x": MARKER}, {"more": MARKER}, {"text": 5}):
                whole = {"text": MARKER, "options": Options(given["path"], [given["url"]]), **given, **extra}
                try:
                    answer = gated(**whole)
                except AirlockBlocked as block:
                    told += [block, str(block), block.to_block_metadata(), block.response.to_dict(), vars(block)]
                except TypeError:
                    continue  # what is observed reaches the function as it came
                else:
                    assert answer == MARKER or MARKER not in repr(answer)
    said = [repr(vars(record)) + record.getMessage() for record in logs]
    said += [repr(item) for item in (events.heard, told, ledger.asked, ledger.inner.apply(Entries()), balances(ledger))]
    assert events.heard
    assert [text for text in said if MARKER in text] == []
