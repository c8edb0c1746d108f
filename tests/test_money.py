"""Rule 8: money is never a float. It is read exactly, rounded once, and printed exactly."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_airlock.money import (
    FEMTO_PER_NANO,
    MAX_AMOUNT,
    cents_half_up,
    cents_up,
    format_usd,
    nano_from_usd_half_even,
    nano_from_usd_up,
    nano_half_even,
    nano_up,
    nanodollars,
    parse_usd,
    rate,
    usd_from_femto,
    usd_from_nano,
)

amounts = st.integers(0, MAX_AMOUNT)
femtos = st.integers(0, 10**30)
usd = st.decimals(0, 10**9, allow_nan=False, allow_infinity=False, places=20)


def _half_even(value: Fraction) -> int:
    return round(value)  # Fraction rounds half to even


# --- reading ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "nano"),
    [
        *[("5 USD", 5 * 10**9), ("$5", 5 * 10**9), ("5", 5 * 10**9), ("5.00", 5 * 10**9), ("0.02 USD", 2 * 10**7)],
        *[(" $ 0.5 ", 5 * 10**8), ("5USD", 5 * 10**9), ("$5 USD", 5 * 10**9), ("1e-9", 1), ("0", 0), ("-0", 0)],
        *[(5, 5 * 10**9), (0, 0), (0.02, 2 * 10**7), (0.1, 10**8), (1e-9, 1), (0.0, 0), (-0.0, 0)],
        *[(Decimal("0.000000001"), 1), (Decimal("1E+2"), 10**11), (Decimal("5.000000000000"), 5 * 10**9)],
        *[("9007199.254740991", MAX_AMOUNT), (9_007_199, 9_007_199 * 10**9)],
    ],
)
def test_usd_is_read_as_people_write_it(text: Any, nano: int) -> None:
    assert nanodollars(text) == nano
    assert parse_usd(text) == Decimal(nano).scaleb(-9)


@pytest.mark.parametrize(
    "value",
    [
        *["", " ", "$", "USD", "five", "5 EUR", "USD 5", "$$5", "1,000", "5 5", "0x10", "1/3", "5 USD USD"],
        *["nan", "inf", "-inf", "Infinity", "-1", "-0.01 USD", "$-5", "sNaN"],
        *["0.0000000001", "1e-10", "9007199.254740992", "1e30", "1e999999", "9" * 61],
        *[-1, -0.01, 10**10, 10**30, math.nan, math.inf, -math.inf, 1e-10, 1e300],
        *[Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal(-1), Decimal("1E-10"), Decimal("1E+99999")],
        *[True, False, None, b"5", [5], (5,), {"usd": 5}, 5j, Fraction(5), object],
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_is_no_amount_of_usd_raises_and_names_what_it_was_for(value: Any) -> None:
    for read in (parse_usd, nanodollars):
        with pytest.raises(ValueError, match="max_cost_per_call") as error:
            read(value, what="max_cost_per_call")
        assert len(str(error.value)) < 300
        if not (isinstance(value, str | int | Decimal) and len(str(value)[:100]) > 60):
            assert repr(value)[:40] in str(error.value)


@pytest.mark.parametrize("value", ["0.1", "0.7", "0.29", "1.1", "2.675", "1234567.89"])
def test_a_float_is_read_as_its_shortest_text_and_not_as_its_binary_value(value: str) -> None:
    assert nanodollars(float(value)) == nanodollars(value)
    assert Decimal(float(value)) != Decimal(value), "or this would show nothing"


@given(amounts)
def test_every_whole_number_of_nanodollars_is_read_exactly(nano: int) -> None:
    exact = Decimal(nano).scaleb(-9)
    assert nanodollars(exact) == nanodollars(str(exact)) == nanodollars(f"${exact:f} USD") == nano
    assert Fraction(parse_usd(exact)) == Fraction(nano, 10**9)


@given(st.floats(0, 1000))
def test_a_float_is_read_exactly_or_not_at_all(value: float) -> None:
    exact = Fraction(str(value)) * 10**9
    if exact.denominator == 1:
        assert nanodollars(value) == exact
    else:
        with pytest.raises(ValueError, match="whole number of nanodollars"):
            nanodollars(value)


@given(st.text())
def test_any_text_is_an_amount_or_a_value_error(text: str) -> None:
    try:
        assert 0 <= nanodollars(text) <= MAX_AMOUNT
    except ValueError:
        return


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(Decimal("1." + "0" * 70 + "1"), id="71 places"),
        pytest.param(Decimal("1E-2000000"), id="far below a context's exponent"),
        pytest.param("1e-2000000", id="the same as text"),
    ],
)
def test_an_amount_finer_than_a_nanodollar_raises_however_fine(value: Any) -> None:
    with pytest.raises(ValueError, match="whole number of nanodollars"):
        nanodollars(value)


def test_a_number_without_end_raises_and_names_what_it_was_for() -> None:
    with pytest.raises(ValueError, match="max_cost_per_call"):
        parse_usd(10**6_000, what="max_cost_per_call")


# --- rates -----------------------------------------------------------------------------------------------


@given(st.integers(0, 10**12), st.sampled_from([1, 1_000, 1_000_000]))
def test_a_rate_is_exact(femto: int, per_tokens: int) -> None:
    price = Decimal(femto * per_tokens).scaleb(-15)
    assert rate(price, per_tokens=per_tokens) == femto
    assert rate(str(price), per_tokens=per_tokens) == femto
    assert usd_from_femto(femto) * per_tokens == price


@pytest.mark.parametrize(
    ("price", "per_tokens", "femto"),
    [("3", 1_000_000, 3 * 10**9), ("0.003", 1_000, 3 * 10**9), (0.003, 1_000, 3 * 10**9), ("0", 1_000, 0)],
)
def test_three_dollars_a_million_are_three_thousand_million_femtodollars_a_token(
    price: Any, per_tokens: int, femto: int
) -> None:
    assert rate(price, per_tokens=per_tokens) == femto


@pytest.mark.parametrize(
    "price", ["-1", "nan", "inf", "x", "", None, True, "1e-10", Decimal("1E-40"), "1e50", math.nan], ids=repr
)
def test_what_is_no_price_raises_and_names_what_it_was_for(price: Any) -> None:
    with pytest.raises(ValueError, match="input price"):
        rate(price, per_tokens=1_000_000, what="input price")


# --- rounding --------------------------------------------------------------------------------------------


@given(femtos)
def test_an_estimate_is_rounded_up_once(femto: int) -> None:
    exact = Fraction(femto, FEMTO_PER_NANO)
    assert nano_up(femto) == math.ceil(exact)
    assert nano_half_even(femto) == _half_even(exact)
    assert nano_half_even(femto) <= nano_up(femto), "a bound for what is settled"


@pytest.mark.parametrize(
    ("femto", "up", "even"),
    [(0, 0, 0), (1, 1, 0), (499_999, 1, 0), (500_000, 1, 0), (500_001, 1, 1), (1_500_000, 2, 2), (2_500_000, 3, 2)],
)
def test_rounding_by_hand(femto: int, up: int, even: int) -> None:
    assert (nano_up(femto), nano_half_even(femto)) == (up, even)


@given(usd)
def test_usd_is_rounded_as_the_same_fraction_is(amount: Decimal) -> None:
    nano = Fraction(amount) * 10**9
    cents = Fraction(amount) * 100
    assert nano_from_usd_up(amount) == math.ceil(nano)
    assert nano_from_usd_half_even(amount) == _half_even(nano)
    assert cents_up(amount) == math.ceil(cents)
    assert cents_half_up(amount) == math.floor(cents + Fraction(1, 2))


@given(st.lists(st.tuples(st.integers(0, 10**7), st.integers(0, 10**11)), max_size=8))
def test_a_cost_is_the_exact_sum_of_tokens_times_rate_divided_once(parts: list[tuple[int, int]]) -> None:
    femto = sum(tokens * rate for tokens, rate in parts)
    exact = sum((Fraction(tokens * rate, 10**15) for tokens, rate in parts), Fraction(0))
    assert Fraction(usd_from_femto(femto)) == exact
    assert 0 <= Fraction(nano_up(femto), 10**9) - exact < Fraction(1, 10**9)
    assert abs(Fraction(nano_half_even(femto), 10**9) - exact) <= Fraction(1, 2 * 10**9)


def test_no_block_reads_two_is_over_two() -> None:
    """What is over a cap of 2 cents, by however little, is shown as 3."""
    assert cents_up(Decimal("0.020000000000001")) == 3
    assert cents_half_up(Decimal("0.0249")) == 2
    assert cents_half_up(Decimal("0.025")) == 3
    assert cents_up(Decimal("0.02")) == 2


FINE: Final = Decimal("1." + "0" * 70 + "1")


def test_an_estimate_is_rounded_up_however_fine_it_is() -> None:
    assert nano_from_usd_up(FINE) == 10**9 + 1
    assert cents_up(FINE) == 101


# --- printing --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        *[(0, "0 USD"), (1, "0.000000001 USD"), (2 * 10**7, "0.02 USD"), (5 * 10**9, "5 USD")],
        *[(10**10, "10 USD"), (1_500_000_000, "1.5 USD"), (-1, "-0.000000001 USD"), (-5 * 10**9, "-5 USD")],
        (MAX_AMOUNT, "9007199.254740991 USD"),
    ],
)
def test_amounts_are_printed_exactly_and_without_idle_zeros(nano: int, text: str) -> None:
    assert format_usd(nano) == text


@given(amounts)
def test_what_is_printed_reads_back_as_the_same(nano: int) -> None:
    assert nanodollars(format_usd(nano)) == nano
    assert usd_from_nano(nano) == parse_usd(format_usd(nano))
    assert format_usd(-nano) == ("-" if nano else "") + format_usd(nano)
