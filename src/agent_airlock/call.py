"""What passes through the gate: the call, its estimate, its ticket, how it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, Literal

from .context import AnyContext
from .money import MAX_AMOUNT, cents_up, usd_from_femto
from .values import message, shown


@message
class TokenUsage:
    """Tokens of one model call.

    What includes what (the vendors differ; this is the one convention of the package):

    * ``input_tokens`` is all input. ``cache_read_tokens`` and ``cache_write_tokens`` are parts of it,
      and ``cache_write_1h_tokens`` is the part of ``cache_write_tokens`` that was written for longer than
      the provider's short time to live (Anthropic: 1 h instead of 5 min).
    * ``output_tokens`` is all output. ``reasoning_tokens`` is the part of it that was thinking.
    * ``total_tokens`` is input + output unless given, and never less.

    Raises:
        ValueError: a count that is not a whole, non-negative number, or a part larger than its whole.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0

    def __post_init__(self) -> None:
        whole = check_tokens(self.input_tokens, "input_tokens") + check_tokens(self.output_tokens, "output_tokens")
        total = check_tokens(self.total_tokens, "total_tokens")
        if not total:
            self.total_tokens = whole  # type: ignore[misc]  # not shown to anyone yet
        elif total < whole:
            raise ValueError("total_tokens must be at least input_tokens + output_tokens")
        if (
            self.cache_read_tokens != 0
            or self.cache_write_tokens != 0
            or self.cache_write_1h_tokens != 0
            or self.reasoning_tokens != 0
        ):
            self._check_parts()

    def _check_parts(self) -> None:
        for name in ("cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens", "reasoning_tokens"):
            check_tokens(getattr(self, name), name)
        if self.cache_read_tokens + self.cache_write_tokens > self.input_tokens:
            raise ValueError("cache_read_tokens and cache_write_tokens are parts of input_tokens")
        if self.cache_write_1h_tokens > self.cache_write_tokens:
            raise ValueError("cache_write_1h_tokens is a part of cache_write_tokens")
        if self.reasoning_tokens > self.output_tokens:
            raise ValueError("reasoning_tokens is a part of output_tokens")


def check_tokens(count: object, what: str) -> int:
    """``count`` if it is a whole, non-negative number of tokens.

    Raises:
        ValueError: a bool, float, text, negative number, or more than 2⁵³ − 1.
    """
    if type(count) is int and 0 <= count <= MAX_AMOUNT:
        return count
    raise ValueError(f"{what} must be a non-negative whole number of tokens, not {shown(count)}")


@message
class Tags:
    """What the caller's code says of a call, as it came: nothing here is checked yet."""

    tier: object = None
    model_id: object = None
    input_tokens: object = None
    max_output_tokens: object = None


NO_TAGS: Final = Tags()


@message
class Call:
    """One invocation of a tool: name, arguments, who calls, tags.

    ``args`` and ``kwargs`` are the arguments as the function will get them; ``arguments`` the same by name:
    ``names`` are those of the positional parameters, ``rest`` that of a ``*args``. ``raw`` are the arguments as they
    came, before they were validated.
    ``contexts`` are the contexts that say who calls, the nearest first; ``roles`` are those of the current one.
    """

    tool: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    names: tuple[str, ...]
    contexts: tuple[AnyContext, ...]
    roles: Sequence[str] = ()
    rest: str | None = None
    raw: tuple[tuple[Any, ...], Mapping[str, Any]] = ((), {})
    tags: Tags = NO_TAGS

    def __repr__(self) -> str:
        return f"<Call of {self.tool}>"  # its arguments are nobody's but the tool's

    @property
    def arguments(self) -> dict[str, Any]:
        """The validated arguments by name; what a ``*args`` parameter took is under its name."""
        names, args = self.names, self.args
        found = dict(zip(names, args, strict=False))
        if self.rest is not None and len(args) > len(names):
            found[self.rest] = args[len(names) :]
        for name, value in self.kwargs.items():
            found.setdefault(name, value)  # a keyword may have the name of a positional-only argument
        return found

    def value(self, field: str) -> Any:
        """The nearest context's value for ``agent_id``, ``session_id``, … or None."""
        for context in self.contexts:
            found = getattr(context, field)
            if found is not None:
                return found
        return None


Bound = Literal["worst_case", "input_only", "declared"]


@message
class Estimate:
    """The most that a call may cost, known before it runs.

    ``exact`` is that cost, unrounded: USD as a ``Decimal``, or, where a rate card priced it, whole femtodollars as an
    ``int``. ``nano`` is the same in whole nanodollars, rounded up. Both are None where the cost is not known and
    nothing asked for it. ``bound`` says what it is: *worst_case* (input and output tokens), *input_only* (a caller's
    own prices and no output limit: the one estimate that is not a bound), *declared* (a fixed price or a function's).
    """

    exact: Decimal | int | None
    nano: int | None
    input_tokens: int = 0
    output_tokens: int = 0
    model_id: str | None = None
    tier: str | None = None
    bound: Bound = "declared"

    @property
    def usd(self) -> Decimal | None:
        """The cost in USD, exact and unrounded."""
        exact = self.exact
        return usd_from_femto(exact) if isinstance(exact, int) else exact

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    def cents_up(self) -> int | None:
        """Whole US cents, rounded up, so that no block reads "2 is over 2"."""
        usd = self.usd
        return None if usd is None else cents_up(usd)


@message
class Returned:
    """The call ended with a value.

    ``last`` is the last item of a stream, which is where its usage may be. ``unfinished``: the value is something
    that has yet to be awaited or iterated, so it reports nothing yet.
    """

    value: object
    last: object = None
    unfinished: bool = False

    def __repr__(self) -> str:
        return "<Returned>"


@message
class Raised:
    """The call ended with an exception."""

    error: BaseException

    def __repr__(self) -> str:
        return f"<Raised {type(self.error).__name__}>"


Outcome = Returned | Raised
