"""The tables of an ``airlock.toml``: their keys and types, checked by pydantic, and what they become.

The JSON schema for editors (``airlock.schema.json``) is made of these models by ``scripts/make_schema.py``.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
    WithJsonSchema,
)

from .checks.modes import Mode

T = TypeVar("T")


def _number(value: Any) -> int | Decimal:
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise ValueError("input should be a number")
    return value


Number = Annotated[int | Decimal, PlainValidator(_number), WithJsonSchema({"type": "number"})]


def _lease(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise ValueError("input should be text such as '10 min', or seconds")
    return value


Lease = Annotated[
    str | int | Decimal,
    PlainValidator(_lease),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "number"}]}),
]


class Table(BaseModel):
    """A table whose keys are known: any other is an error."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    def given(self) -> dict[str, Any]:
        """The keys that the file has, with their values."""
        return {name: getattr(self, name) for name in type(self).model_fields if name in self.model_fields_set}


class RateTable(Table):
    """A rate limit that only observes: `{ limit = "100/hour", mode = "observe" }`."""

    limit: str
    mode: Mode = "enforce"


def _kind_of_rate(value: Any) -> str:
    return "table" if isinstance(value, (dict, RateTable)) else "text"


Rate = Annotated[
    Annotated[str, Tag("text")] | Annotated[RateTable, Tag("table")],
    Discriminator(_kind_of_rate),
]


class PolicyTable(Table):
    """What is allowed, and how the gate answers."""

    allowed_tools: list[str] = Field(default=[], description="Globs of tools that may be called; empty: all")
    denied_tools: list[str] = Field(default=[], description="Globs of tools that may not; they beat allowed_tools")
    allowed_roles: list[str] = Field(
        default=[], description="One of these must be among the caller's roles; empty: any"
    )
    require_agent_id: bool = Field(default=False, description="Only calls of a named agent")
    default_deny: bool = Field(default=False, description="An empty allowed_tools allows none")
    time_restrictions: dict[str, str] = Field(
        default={}, description="Glob of tools to hours: '09:00-17:00 Europe/Berlin'"
    )
    rate_limits: dict[str, Rate] = Field(default={}, description="Glob of tools to '100/hour', for each agent")
    lease: Lease = Field(default="10 min", description="How long a call's holds stand; longer than any call")
    tags: Literal["caller", "context"] = Field(
        default="caller", description="Where tiers and token counts are read from"
    )
    on_unknown_usage: Literal["estimate", "release"] = Field(
        default="estimate", description="What such a call is booked at"
    )
    explain: Literal["scoped", "all"] = Field(default="scoped", description="What a block tells of shared accounts")
    mode: Mode = Field(default="enforce", description="'observe' blocks nothing, and tells what it would block")
    access_mode: Mode = Field(default="enforce", description="The same for tools, roles, agents and hours alone")
    unknown_args: Literal["block", "strip_and_log", "strip_silent"] = Field(
        default="block", description="What happens to arguments that a function does not have"
    )
    arguments_mode: Mode = Field(default="enforce", description="'observe' lets arguments of other types through")
    path_arguments: list[str] | None = Field(
        default=None, description="Names of arguments that are paths; else the usual ones"
    )
    url_arguments: list[str] | None = Field(
        default=None, description="Names of arguments that are URLs; else the usual ones"
    )


class TierTable(Table):
    """What one call of a tier may cost and say."""

    max_cost_cents: int | None = Field(default=None, ge=0, description="Whole US cents")
    max_output_tokens: int | None = Field(default=None, ge=0, description="Tokens")


class TiersTable(Table):
    """The tier budget: `strict`, and one table for each tier."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)
    __pydantic_extra__: dict[str, TierTable]  # pyright: ignore[reportIncompatibleVariableOverride]

    strict: str = Field(description="The tier of a call that nobody tagged; one of the tiers")
    mode: Mode = "enforce"


class BudgetTable(Table):
    """A limit over a scope in a window."""

    scope: str = Field(description="'global', or kinds joined by '+': 'agent:*+tier:frontier'")
    limit: str = Field(description="'5 USD', '200_000 tokens' or '100 calls'")
    window: str = Field(default="total", description="call, second, minute, hour, day, month or total")
    zone: str = Field(default="UTC", description="Where days and months begin")
    warn_at: Number | None = Field(default=None, description="A fraction of the limit; passing it is told")
    mode: Mode = "enforce"


class PriceTable(Table):
    """A model's prices, in USD per million tokens, and its limits, in tokens."""

    input: Number
    output: Number
    cache_read: Number | None = None
    cache_write: Number | None = None
    cache_write_1h: Number | None = None
    context_window: int | None = None
    max_output: int | None = None


class FilesystemTable(Table):
    """Where paths in arguments may lead. A relative root stands below the file's folder."""

    allowed_roots: list[str] = Field(description="Folders; empty: no path is allowed")
    allow_symlinks: bool = Field(default=False, description="Follow links below a root, as long as they stay in one")
    deny_patterns: list[str] = Field(default=[], description="Globs of names and paths below a root")
    max_path_depth: int = Field(default=64, description="Names below a root, at most")
    mode: Mode = "enforce"


class EndpointTable(Table):
    """Where URLs in the arguments of the tools of a glob may lead."""

    allowed_endpoints: list[str] = Field(default=[], description="Empty: every public host; else only these")
    blocked_patterns: list[str] = []
    allow_private_ips: bool = False
    allow_metadata_urls: bool = False
    mode: Mode = "enforce"


class ModelCapabilitiesTable(Table):
    """What a class of models may use."""

    models: list[str] = Field(description="Globs of model ids")
    granted: list[str]
    denied: list[str] = []


class CapabilitiesTable(Table):
    """What functions marked with `@requires(…)` may do."""

    granted: list[str]
    denied: list[str] = []
    models: list[ModelCapabilitiesTable] = []
    mode: Mode = "enforce"


class LedgerTable(Table):
    """Where budgets are counted."""

    url: str = Field(description="'memory:', 'sqlite:///budgets.db', …")


class PolicyFile(Table):
    """A policy of agent_airlock."""

    policy: PolicyTable = PolicyTable()
    tiers: TiersTable | None = None
    budgets: list[BudgetTable] = []
    prices: dict[str, PriceTable] = {}
    model_aliases: dict[str, str] = Field(default={}, description="The name that calls use, and the model it means")
    filesystem: FilesystemTable | None = None
    endpoints: dict[str, EndpointTable] = Field(default={}, description="Glob of tools to where their URLs may lead")
    capabilities: CapabilitiesTable | None = None
    ledger: LedgerTable | None = None


def schema() -> dict[str, Any]:
    """The JSON schema of the file, for editors."""
    made = PolicyFile.model_json_schema(mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "airlock.toml", **made}
