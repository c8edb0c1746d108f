"""What the gate adds to a call, beside what pydantic's ``validate_call`` adds to the same function."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import validate_call

from agent_airlock import (
    STRICT_MODEL_TIER_BUDGET,
    Airlock,
    AirlockConfig,
    AirlockContext,
    Budget,
    Capability,
    CapabilityPolicy,
    Cost,
    EndpointPolicy,
    FilesystemPolicy,
    MemoryLedger,
    SecurityPolicy,
    requires,
)
from agent_airlock.checks.filesystem import check_path

from .timing import Figure, compare


def lookup(query: str, limit: int = 10) -> str:
    return query


def figures() -> Iterator[Figure]:
    validated = validate_call(lookup)
    base = lambda: validated("otters", limit=5)  # noqa: E731
    cost = Cost.model("claude-haiku-5-5")

    tiers = SecurityPolicy(allowed_tools=["look*"], model_tier_budget=STRICT_MODEL_TIER_BUDGET).freeze()
    gated = Airlock(policy=tiers, cost=cost)(lookup)
    yield compare(
        "gate: arguments, access, tier budget ÷ validate_call",
        lambda: gated("otters", limit=5, _airlock_tier="mid", _airlock_input_tokens=100),  # type: ignore[call-arg]
        base,
        8,
    )

    capped = SecurityPolicy(
        allowed_tools=["look*"],
        model_tier_budget=STRICT_MODEL_TIER_BUDGET,
        budgets=[Budget("session:*", "1_000_000 USD")],
    ).freeze()
    held = Airlock(policy=capped, cost=cost)(lookup)
    with AirlockContext(session_id="s"):
        yield compare(
            "gate: the same and a session budget on the memory ledger ÷ validate_call",
            lambda: held("otters", limit=5, _airlock_tier="mid", _airlock_input_tokens=100),  # type: ignore[call-arg]
            base,
            15,
        )
    yield from whole_gate()
    yield many_budgets()


@requires(Capability.FILESYSTEM_READ | Capability.NETWORK_HTTP)
def fetch(path: str, url: str) -> str:
    return path


def whole_gate() -> Iterator[Figure]:
    """All six checks on, with one path and one URL; what resolving the path costs is a figure of its own."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        path, url = str(root / "notes.txt"), "https://example.com/otters"
        Path(path).touch()
        paths = FilesystemPolicy([root])
        policy = SecurityPolicy(
            allowed_tools=["fetch*"],
            require_agent_id=True,
            capability_policy=CapabilityPolicy(Capability.FILESYSTEM_READ | Capability.NETWORK_HTTP),
            model_tier_budget=STRICT_MODEL_TIER_BUDGET,
        ).freeze()

        def gate(**checks: Any) -> Any:
            return Airlock(policy=policy, config=AirlockConfig(**checks), cost=Cost.model("claude-haiku-5-5"))(fetch)

        whole = gate(filesystem_policy=paths, endpoint_policies={"*": EndpointPolicy()})
        no_paths = gate(endpoint_policies={"*": EndpointPolicy()})
        validated = validate_call(fetch)
        tags = {"_airlock_tier": "mid", "_airlock_input_tokens": 100}
        with AirlockContext(agent_id="a"):
            yield compare(
                "gate: all six checks, a path and a URL ÷ validate_call",
                lambda: whole(path, url, **tags),
                lambda: validated(path, url),
                14,
            )
            yield compare(
                "gate: the same without the check of paths ÷ validate_call",
                lambda: no_paths(path, url, **tags),
                lambda: validated(path, url),
                14,
            )
        yield compare(
            "gate: the check of one path, resolved ÷ validate_call",
            lambda: check_path(paths, "fetch", "path", path),
            lambda: validated(path, url),
            14,
        )


def many_budgets() -> Figure:
    """The same call under 5 budgets that apply, with 495 beside them that do not, and without."""
    applying = [Budget("global", "1_000_000 USD", window=window) for window in ("hour", "day", "month", "total")]
    applying.append(Budget("agent:a", "1_000_000 USD"))
    others = [Budget(f"agent:b{number}+tool:lookup", "1 USD") for number in range(495)]

    def gate(budgets: list[Budget]) -> Any:
        return Airlock(policy=SecurityPolicy(budgets=budgets), ledger=MemoryLedger(), cost=Cost("0.01 USD"))(lookup)

    many, few = gate([*others, *applying]), gate(applying)
    with AirlockContext(agent_id="a"):
        return compare(
            "gate: 5 of a policy's 500 budgets apply ÷ a policy of those 5",
            lambda: many("otters"),
            lambda: few("otters"),
            1.3,
        )
