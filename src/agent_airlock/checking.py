"""The checks of one gate between the arguments and the money: access, capabilities, paths, endpoints, in this order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec

from .call import Call
from .checks.access import check_caller, check_hours, check_tool, matches
from .checks.modes import Mode
from .config import AirlockConfig
from .estimating import model_of
from .exceptions import PolicyViolation
from .ledger.commands import Book
from .observing import CheckName, observed
from .policy import SecurityPolicy

if TYPE_CHECKING:
    from .checks.capabilities import Capability, CapabilityPolicy
    from .checks.endpoints import EndpointPolicy
    from .checks.filesystem import FilesystemPolicy
    from .checks.targets import Targets
    from .policy_prices import PolicyPrices

Check = Callable[[Call], None]
"""It says nothing, or raises a block."""
Places = Sequence[tuple[str, object]]
Found = tuple[Places, Places]
"""The paths and the URLs of a call: where each stands in the arguments, and its value."""
Judge = Callable[[Call, Found], None]
P = ParamSpec("P")


class Subject:
    """What is known of a gated function before a call: its tool's name, where paths and URLs stand in its arguments."""

    __slots__ = ("_needed", "function", "targets", "tool")

    def __init__(self, tool: str, function: Any = None, targets: Targets | None = None) -> None:
        self.tool: Final = tool
        self.function: Any = function
        """The function that callers see: what ``@requires(…)`` has marked, over or under the gate."""
        self.targets: Final = targets
        self._needed: Capability | None = None

    def needed(self) -> Capability:
        """What ``@requires(…)`` says, once the first call has come: by then every decorator has been there."""
        if self._needed is None:
            from .checks.capabilities import required_by

            self._needed = required_by(self.function)
        return self._needed


def checks_of(
    subject: Subject, policy: SecurityPolicy, config: AirlockConfig, ledger: Book, prices: PolicyPrices | None
) -> tuple[Check, ...]:
    """The checks that can say anything of a call of this function under this policy."""
    made: list[tuple[CheckName, Mode, Check]] = []
    access = _access(policy, subject.tool, ledger)
    if access is not None:
        made.append(("access", policy.access_mode, access))
    for capabilities in filter(None, (policy.capability_policy, config.capability_policy)):
        made.append(("capabilities", capabilities.mode, _capabilities(capabilities, subject, prices)))  # noqa: PERF401
    checks = [_in_mode(check, name, policy.mode, mode, config) for name, mode, check in made]
    judges = _judges(subject.tool, policy, config)
    if subject.targets is not None and judges:
        # Arguments that cannot be looked through are blocked, unless all that would look only observes.
        modes = {mode for mode, _ in judges}
        places = _places(subject.targets, [judge for _, judge in judges])
        checks.append(
            _in_mode(places, "arguments", policy.mode, "observe" if modes == {"observe"} else "enforce", config)
        )
    return tuple(checks)


def _in_mode(
    check: Callable[Concatenate[Call, P], None], name: CheckName, whole: Mode, own: Mode, config: AirlockConfig
) -> Callable[Concatenate[Call, P], None]:
    return observed(check, name, config.on_event) if "observe" in (whole, own) else check


def _access(policy: SecurityPolicy, tool: str, ledger: Book) -> Check | None:
    """What is still to be asked of a call: what the tool's name alone decides is decided here. None: nothing."""
    try:
        check_tool(policy, tool)
    except PolicyViolation:
        return lambda call: check_tool(policy, call.tool)
    windows = [window for pattern, window in policy.time_restrictions.items() if matches(tool, pattern)]
    if not (windows or policy.require_agent_id or policy.allowed_roles):
        return None

    def check(call: Call) -> None:
        check_caller(policy, call.tool, call.value("agent_id"), call.roles)
        for window in windows:
            check_hours(call.tool, window, ledger.now_ms())  # the ledger's time: it never runs back

    return check


def _capabilities(policy: CapabilityPolicy, subject: Subject, prices: PolicyPrices | None) -> Check:
    from .checks.capabilities import check_capabilities

    def check(call: Call) -> None:
        model = model_of(call, prices) if policy.model_tier is not None else None
        check_capabilities(policy, call.tool, subject.needed(), model)

    return check


def _places(targets: Targets, judges: list[Judge]) -> Check:
    """The checks of paths and of URLs: the arguments are looked through once for all of them."""

    def check(call: Call) -> None:
        found = targets.of(call.arguments, call.kwargs)
        for judge in judges:
            judge(call, found)

    return check


def _judges(tool: str, policy: SecurityPolicy, config: AirlockConfig) -> list[tuple[Mode, Judge]]:
    paths = config.filesystem_policy
    judges: list[tuple[Mode, Judge]] = []
    if paths is not None:
        judges.append((paths.mode, _in_mode(_paths(paths), "paths", policy.mode, paths.mode, config)))
    return judges + [
        (endpoints.mode, _in_mode(_endpoints(endpoints), "endpoints", policy.mode, endpoints.mode, config))
        for pattern, endpoints in config.endpoint_policies.items()
        if matches(tool, pattern)
    ]


def _paths(policy: FilesystemPolicy) -> Judge:
    from .checks.filesystem import check_path

    def check(call: Call, found: Found) -> None:
        for place, value in found[0]:
            check_path(policy, call.tool, place, value)

    return check


def _endpoints(policy: EndpointPolicy) -> Judge:
    from .checks.endpoints import check_url

    def check(call: Call, found: Found) -> None:
        for place, value in found[1]:
            check_url(policy, call.tool, place, value)

    return check
