"""Exact money: parsing, rounding and printing. No float ever holds an amount.

Three whole-number units are used, and one for people:

* **nanodollars** (10⁻⁹ USD): what budgets, holds and the ledger count in;
* **femtodollars** (10⁻¹⁵ USD): what a rate card computes in. A rate of one nanodollar per million
  tokens is one femtodollar per token, so Σ tokens × rate is exact, and is divided once;
* **cents** (10⁻² USD): what the tier budget's users write and read;
* **USD** as :class:`~decimal.Decimal`, text or whole number at the public surface.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_HALF_EVEN, ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Final

from .values import shown

NANO_PER_USD: Final = 10**9
NANO_PER_CENT: Final = 10**7
FEMTO_PER_NANO: Final = 10**6
MAX_AMOUNT: Final = 2**53 - 1
"""The most that one account or one amount may hold, in nanodollars (9.007 million USD), tokens or calls.
Every ledger keeps to it, because some of them count in IEEE doubles, which are exact up to here."""

USDLike = Decimal | int | str | float
"""USD as users write it. A float is read as its shortest text: ``0.1`` means exactly 0.1."""

_EXACT: Final = Context(prec=60, traps=[InvalidOperation])


def parse_usd(value: USDLike, *, what: str = "amount") -> Decimal:
    """Read an amount of USD exactly.

    ``"5 USD"``, ``"$5"``, ``"0.02"``, ``Decimal("5")``, ``5`` and ``0.02`` are all read; a float goes through
    ``Decimal(str(value))``.

    Raises:
        ValueError: not a finite amount of at least 0, finer than a nanodollar, or above 9.007 million USD.
    """
    amount = _decimal(value, what)
    if not amount.is_finite() or amount < 0:
        raise ValueError(f"{what} must be a finite, non-negative amount of USD, not {shown(value)}")
    if amount > Decimal(MAX_AMOUNT).scaleb(-9, _EXACT):
        raise ValueError(f"{what} must be at most {format_usd(MAX_AMOUNT)}, not {shown(value)}")
    if _scaled(amount, 9) is None:
        raise ValueError(f"{what} must be a whole number of nanodollars (9 decimal places), not {shown(value)}")
    return amount


def nanodollars(value: USDLike, *, what: str = "amount") -> int:
    """The same as :func:`parse_usd`, as whole nanodollars."""
    scaled = _scaled(parse_usd(value, what=what), 9)
    assert scaled is not None  # parse_usd refuses finer amounts  # noqa: S101
    return scaled


def rate(usd: USDLike, *, per_tokens: int, what: str = "price") -> int:
    """A price of ``usd`` per ``per_tokens`` tokens, as whole femtodollars per token.

    (The same number is nanodollars per million tokens.)

    Raises:
        ValueError: not a finite price of at least 0, or finer than a femtodollar per token.
    """
    price = _decimal(usd, what)
    if not price.is_finite() or price < 0:
        raise ValueError(f"{what} must be a finite, non-negative price in USD, not {shown(usd)}")
    scaled = _scaled(price, 15)
    if scaled is None or scaled % per_tokens:
        raise ValueError(f"{what} must be a whole number of nanodollars per million tokens, not {shown(usd)}")
    return scaled // per_tokens


def nano_up(femto: int) -> int:
    """Femtodollars to nanodollars, rounded up: for estimates."""
    return -(-femto // FEMTO_PER_NANO)


def nano_half_even(femto: int) -> int:
    """Femtodollars to nanodollars, rounded half to even: for actual costs."""
    whole, rest = divmod(femto, FEMTO_PER_NANO)
    half = FEMTO_PER_NANO // 2
    return whole + (rest > half or (rest == half and whole % 2 == 1))


def nano_from_usd_up(amount: Decimal) -> int:
    """USD, as precise as it comes, to whole nanodollars, rounded up: for estimates."""
    return _whole(amount, 9, ROUND_CEILING)


def nano_from_usd_half_even(amount: Decimal) -> int:
    """USD, as precise as it comes, to whole nanodollars, rounded half to even: for actual costs."""
    return _whole(amount, 9, ROUND_HALF_EVEN)


def usd_from_femto(femto: int) -> Decimal:
    """Femtodollars as exact, unrounded USD."""
    return Decimal(f"{femto}E-15")


def usd_from_nano(nano: int) -> Decimal:
    """Nanodollars as exact USD."""
    return Decimal(f"{nano}E-9") if nano else Decimal(0)


def cents_half_up(amount: Decimal) -> int:
    """USD as whole cents for showing, rounded half up."""
    return _whole(amount, 2, ROUND_HALF_UP)


def cents_up(amount: Decimal) -> int:
    """USD as whole cents, rounded up: what a block shows, so that none reads "2 is over 2"."""
    return _whole(amount, 2, ROUND_CEILING)


def format_usd(nano: int) -> str:
    """Nanodollars for people: ``0.02 USD``, ``5 USD``, exact and without trailing zeros."""
    sign, nano = ("-", -nano) if nano < 0 else ("", nano)
    whole, rest = divmod(nano, NANO_PER_USD)
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{sign}{whole}{fraction} USD"


def _decimal(value: USDLike, what: str) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, str, float)):
        raise ValueError(f"{what} must be USD as Decimal, text or a number, not {shown(value)}")
    if isinstance(value, int):
        return Decimal(value)
    text = str(value)
    if isinstance(value, str):
        text = value.strip().removesuffix("USD").removeprefix("$").strip()
    if len(text) > 60:
        raise ValueError(f"{what} must have at most 60 characters")
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{what} must be an amount of USD such as '0.50 USD', not {shown(value)}") from None


_UNITS: Final = {places: Decimal(1).scaleb(-places) for places in (2, 9, 15)}


def _whole(amount: Decimal, places: int, rounding: str) -> int:
    """``amount × 10**places`` as a whole number, rounded once. What is beyond all counting counts as that."""
    if amount.adjusted() > 30:
        return 10**40
    return int(amount.quantize(_UNITS[places], rounding, _EXACT).scaleb(places, _EXACT))


def _scaled(amount: Decimal, places: int) -> int | None:
    """``amount × 10**places`` if that is a whole number of at most 40 digits, else None."""
    if amount.adjusted() > 30:
        return None
    rounded = amount.quantize(_UNITS[places], ROUND_HALF_EVEN, _EXACT)
    return int(rounded.scaleb(places, _EXACT)) if rounded == amount else None
