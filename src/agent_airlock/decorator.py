"""``@Airlock``: a function, coroutine function, generator or async generator behind its gate."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Generator, Iterator
from typing import Any, Final, Literal, ParamSpec, Protocol, TypeVar, cast, overload

from .binding import Binding, OnBlock, PolicySource
from .call import Raised, Returned
from .config import AirlockConfig
from .cost import Cost
from .events import log
from .exceptions import AirlockBlocked
from .gate import admit, close
from .ledger.commands import Book
from .ledger.finalisers import later
from .ledger.flow import Flow, adrive, drive
from .policy import SecurityPolicy
from .self_heal import BlockedResult

P = ParamSpec("P")
R = TypeVar("R")
Y = TypeVar("Y")
S = TypeVar("S")


_UNFINISHED: Final = (
    "%s is gated as a plain function and returned a %s: it is booked at its estimate, because what it reports comes "
    "later; gate a coroutine function or a generator instead"
)


def _plain(binding: Binding) -> Callable[..., Any]:
    function = binding.function

    @functools.wraps(function)
    def gated(*args: Any, **kwargs: Any) -> Any:
        gate = None
        try:
            gate, call = binding.bind(args, kwargs)
            ticket = drive(admit(gate, call))
        except AirlockBlocked as block:
            return binding.blocked(block, gate)
        try:
            value = function(*call.args, **call.kwargs)
        except BaseException as error:
            drive(close(ticket, Raised(error)))
            raise
        unfinished = isinstance(value, (Awaitable, Iterator, AsyncIterator))
        if unfinished:
            log(logging.WARNING, _UNFINISHED, binding.tool, type(cast("object", value)).__name__)
        drive(close(ticket, Returned(cast("object", value), unfinished=unfinished)))
        return binding.answered(value)

    return gated


def _coroutine(binding: Binding) -> Callable[..., Any]:
    function = binding.function
    arun = _runner(binding)

    @functools.wraps(function)
    async def gated(*args: Any, **kwargs: Any) -> Any:
        gate = None
        try:
            gate, call = binding.bind(args, kwargs)
            ticket = await arun(admit(gate, call))
        except AirlockBlocked as block:
            return binding.blocked(block, gate)
        try:
            value = await function(*call.args, **call.kwargs)
        except GeneratorExit as error:
            # Nobody will await it any more, and this may be the garbage collector, inside any command: settle at the
            # next one. A ledger that is to be awaited cannot be told here; the lease ends the hold.
            if not binding.ledger.is_async:
                later(close(ticket, Raised(error)))
            raise
        except BaseException as error:
            await arun(close(ticket, Raised(error)))
            raise
        await arun(close(ticket, Returned(value)))
        return binding.answered(value)

    return gated


def _generator(binding: Binding) -> Callable[..., Any]:
    function = binding.function

    @functools.wraps(function)
    def gated(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        gate = None
        try:
            gate, call = binding.bind(args, kwargs)
            ticket = drive(admit(gate, call))
        except AirlockBlocked as block:
            raise binding.explain(block, gate) from block.__cause__
        stream = None
        try:
            stream = _Watched(function(*call.args, **call.kwargs))
            value = yield from stream
        except BaseException as error:
            if stream is not None and stream.closing:
                # This may be the garbage collector, inside any command: settle at the next one.
                later(close(ticket, Raised(error)))
            else:
                drive(close(ticket, Raised(error)))
            raise
        drive(close(ticket, Returned(value, stream.last)))
        return value

    return gated


def _async_generator(binding: Binding) -> Callable[..., Any]:
    function = binding.function
    arun = _runner(binding)

    @functools.wraps(function)
    async def gated(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        gate = None
        try:
            gate, call = binding.bind(args, kwargs)
            ticket = await arun(admit(gate, call))
        except AirlockBlocked as block:
            raise binding.explain(block, gate) from block.__cause__
        item = None
        try:
            stream = function(*call.args, **call.kwargs)
            item = await anext(stream)
            while True:
                try:
                    sent = yield item
                except GeneratorExit:
                    await stream.aclose()
                    raise
                except BaseException as error:
                    item = await stream.athrow(error)
                else:
                    item = await stream.asend(sent)
        except StopAsyncIteration:
            await arun(close(ticket, Returned(None, item)))
        except BaseException as error:
            if isinstance(error, GeneratorExit) and not binding.ledger.is_async:
                later(close(ticket, Raised(error)))  # it may be the garbage collector that closes it
            else:
                await arun(close(ticket, Raised(error)))
            raise

    return gated


class _Watched(Generator[Any, Any, Any]):
    """A generator that remembers its last item: streams report their usage there."""

    def __init__(self, stream: Generator[Any, Any, Any]) -> None:
        self._stream = stream
        self.last: Any = None
        self.closing = False

    def send(self, value: Any, /) -> Any:
        self.last = self._stream.send(value)
        return self.last

    def throw(self, *exception: Any) -> Any:
        self.last = self._stream.throw(*exception)
        return self.last

    def close(self) -> None:
        self.closing = True
        self._stream.close()


def _runner(binding: Binding) -> Callable[[Flow[R]], Coroutine[Any, Any, R]]:
    """How an async function runs a flow: in place, unless its ledger is to be awaited."""
    if binding.ledger.is_async:
        return adrive

    async def in_place(flow: Flow[R]) -> R:
        return drive(flow)

    return in_place


def _called(function: Any) -> Any:
    """What says which kind of function it is: of an object with ``__call__``, its own kind of call."""
    called: Any = function
    if not inspect.isroutine(function) and not isinstance(function, functools.partial):
        called = getattr(function, "__call__", function)  # noqa: B004
    return called


def _gated(function: Any, options: dict[str, Any]) -> Any:
    if isinstance(function, (classmethod, staticmethod)):
        wrap: Any = cast("Any", function)
        return type(wrap)(_gated(wrap.__func__, options))
    if not callable(function):
        raise TypeError(f"Airlock takes a function, not {function!r}")
    called = _called(function)
    streams, awaited = inspect.isasyncgenfunction(called), inspect.iscoroutinefunction(called)
    binding = Binding(function, in_loop=streams or awaited, **options)
    gated: Any
    if streams:
        gated = _async_generator(binding)
    elif awaited:
        gated = _coroutine(binding)
    elif binding.ledger.is_async:
        raise TypeError(f"{binding.tool} is a sync function, and its ledger can only be awaited: give it a sync one")
    else:
        gated = _generator(binding) if inspect.isgeneratorfunction(called) else _plain(binding)
    binding.subject.function = gated  # what `@requires` marks may stand over the gate, or under it
    return gated


# --- the surface, for type checkers ----------------------------------------------------------------------


class _Returning(Protocol):
    """A block is returned."""

    @overload
    def __call__(self, function: Callable[P, AsyncGenerator[Y, S]], /) -> Callable[P, AsyncGenerator[Y, S]]: ...
    @overload
    def __call__(self, function: Callable[P, Generator[Y, S, R]], /) -> Callable[P, Generator[Y, S, R]]: ...
    @overload
    def __call__(
        self, function: Callable[P, Coroutine[Any, Any, R]], /
    ) -> Callable[P, Coroutine[Any, Any, R | BlockedResult]]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Callable[P, R | BlockedResult]: ...


class _Raising(Protocol):
    """A block is raised."""

    def __call__(self, function: Callable[P, R], /) -> Callable[P, R]: ...


class _Dict(Protocol):
    """Every answer is a dict; a generator's items are its own."""

    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, function: Callable[P, AsyncGenerator[Y, S]], /
    ) -> Callable[P, AsyncGenerator[Y, S]]: ...  # pyright: ignore[reportOverlappingOverload]
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, function: Callable[P, Generator[Y, S, R]], /
    ) -> Callable[P, Generator[Y, S, R]]: ...  # pyright: ignore[reportOverlappingOverload]
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, function: Callable[P, Coroutine[Any, Any, R]], /
    ) -> Callable[P, Coroutine[Any, Any, dict[str, Any]]]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> Callable[P, dict[str, Any]]: ...


@overload
def Airlock(function: Callable[P, AsyncGenerator[Y, S]], /) -> Callable[P, AsyncGenerator[Y, S]]: ...
@overload
def Airlock(function: Callable[P, Generator[Y, S, R]], /) -> Callable[P, Generator[Y, S, R]]: ...
@overload
def Airlock(
    function: Callable[P, Coroutine[Any, Any, R]], /
) -> Callable[P, Coroutine[Any, Any, R | BlockedResult]]: ...
@overload
def Airlock(function: Callable[P, R], /) -> Callable[P, R | BlockedResult]: ...
@overload
def Airlock(
    *,
    policy: PolicySource | None = None,
    config: AirlockConfig | None = None,
    ledger: Book | None = None,
    cost: Cost | None = None,
    return_dict: Literal[False] = False,
    on_block: Literal["raise"],
    nothing_spent_on: tuple[type[BaseException], ...] = (),
) -> _Raising: ...
@overload
def Airlock(
    *,
    policy: PolicySource | None = None,
    config: AirlockConfig | None = None,
    ledger: Book | None = None,
    cost: Cost | None = None,
    return_dict: Literal[True],
    on_block: OnBlock = "return",
    nothing_spent_on: tuple[type[BaseException], ...] = (),
) -> _Dict: ...
@overload
def Airlock(
    *,
    policy: PolicySource | None = None,
    config: AirlockConfig | None = None,
    ledger: Book | None = None,
    cost: Cost | None = None,
    return_dict: Literal[False] = False,
    on_block: Literal["return"] = "return",
    nothing_spent_on: tuple[type[BaseException], ...] = (),
) -> _Returning: ...
def Airlock(  # noqa: N802  (the name that users type)
    function: Callable[..., Any] | None = None,
    /,
    *,
    policy: PolicySource | None = None,
    config: AirlockConfig | None = None,
    ledger: Book | None = None,
    cost: Cost | None = None,
    return_dict: bool = False,
    on_block: OnBlock = "return",
    nothing_spent_on: tuple[type[BaseException], ...] = (),
) -> Any:
    """Put a function behind a gate: ``@Airlock`` or ``@Airlock(policy=…, cost=…)``.

    Works on functions, coroutine functions, generators, async generators, methods, and under or over
    ``classmethod`` and ``staticmethod``. Signature, annotations and docstring survive.

    Args:
        policy: a ``SecurityPolicy``, or a function from the current ``AirlockContext`` to one. Without it, the file
            that the environment variable ``AIRLOCK_POLICY`` names, else a policy that allows everything.
        config: callbacks, and how unknown arguments are met.
        ledger: where budgets are counted; the process's memory unless given one.
        cost: how a call is priced. Default: ``Cost.model()`` under a ``model_tier_budget``, else ``Cost.free()``.
        return_dict: answer ``AirlockResponse.success_response(…).to_dict()`` instead of the function's own result.
        on_block: ``"return"`` a blocked call as a dict, or ``"raise"`` an ``AirlockBlocked`` that has it as
            ``.response``. A generator always raises, at its first ``next()``.
        nothing_spent_on: exceptions of the function that say that its call cost nothing.

    Raises:
        TypeError, ValueError: naming the argument, the value and what is allowed.
    """
    _check_options(policy, config, cost, on_block, nothing_spent_on)
    _check_ledger(ledger)
    if not isinstance(return_dict, bool):
        raise TypeError(f"Airlock(return_dict=…) must be True or False, not {return_dict!r}")
    options: dict[str, Any] = {
        "policy": policy,
        "config": config,
        "ledger": ledger,
        "cost": cost,
        "return_dict": return_dict,
        "on_block": on_block,
        "nothing_spent_on": tuple(nothing_spent_on),
    }
    if function is not None:
        return _gated(function, options)
    return functools.partial(_gated, options=options)


airlock = Airlock


def _check_options(policy: object, config: object, cost: object, on_block: object, nothing: object) -> None:
    if policy is not None and not isinstance(policy, SecurityPolicy) and not callable(policy):
        raise TypeError(f"Airlock(policy=…) must be a SecurityPolicy or a function to one, not {policy!r}")
    if config is not None and not isinstance(config, AirlockConfig):
        raise TypeError(f"Airlock(config=…) must be an AirlockConfig, not {config!r}")
    if cost is not None and not isinstance(cost, Cost):
        raise TypeError(f"Airlock(cost=…) must be a Cost, such as Cost('0.02 USD'), not {cost!r}")
    if on_block not in ("return", "raise"):
        raise ValueError(f"Airlock(on_block=…) must be 'return' or 'raise', not {on_block!r}")
    kinds: Any = nothing
    if not isinstance(nothing, (tuple, list)) or not all(
        isinstance(kind, type) and issubclass(kind, BaseException) for kind in kinds
    ):
        raise TypeError(f"Airlock(nothing_spent_on=…) must be a tuple of exception classes, not {nothing!r}")


def _check_ledger(ledger: object) -> None:
    """A ledger, not its class, and not its address."""
    if ledger is None:
        return
    if isinstance(ledger, type) or not all(hasattr(ledger, name) for name in ("apply", "now_ms", "is_async")):
        raise TypeError(f"Airlock(ledger=…) must be a ledger, such as MemoryLedger(), not {ledger!r}")
