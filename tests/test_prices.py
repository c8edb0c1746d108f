"""Rate cards and price books: own tables, the shipped prices, and that nothing is priced that is not known."""

from __future__ import annotations

import json
import pickle
import re
import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import genai_prices
import pytest
from genai_prices.types import (
    ClauseContains,
    ClauseEquals,
    ClauseOr,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    Tier,
    TieredPrices,
    TimeOfDateConstraint,
)
from hypothesis import given
from hypothesis import strategies as st

from agent_airlock.call import TokenUsage
from agent_airlock.money import usd_from_femto
from agent_airlock.prices import MAKERS, PriceBook, RateCard, Rates, Reach, _Catalogue, _catalogue

DAY = date(2026, 11, 24)
AMBIGUOUS = Path(__file__).parent / "data" / "ambiguous_models.txt"


def card(model: str, day: date = DAY) -> RateCard:
    found = PriceBook.shipped(day).card(model)
    assert found is not None, model
    return found


# --- the twelve models -----------------------------------------------------------------------------------
# Standard tier, USD per million tokens: input, cache read, write (short), write (long), output; then the same over
# the threshold; window and maximum output in tokens. Checked by hand on 2026-11-24 against the facts sheet § 2.1:
# prices of genai-prices 0.2.3 and litellm 1.109.1, which agree; OpenAI's long write (12 h) of litellm alone;
# limits of litellm. A dash: no such price, so the input's.
TWELVE = """
gpt-6-astra            10    1     12.5   25   50   | 272000 20   2    25    50  75   | 1050000 128000
gpt-6.1-sol            2     0.10  2.5    5    10   | 272000 4    0.20 5     10  15   | 1050000 128000
gpt-6.1-terra          1     0.05  1.25   2.5  5    | 272000 2    0.10 2.5   5   7.5  | 1050000 128000
gpt-6-luna             0.10  0.01  0.125  0.25 0.5  | 272000 0.20 0.02 0.25  0.5 0.75 | 1050000 128000
claude-fable-5-2       8     0.20  10     16   40   |                                 | 1000000 128000
claude-opus-5-5        4     0.20  5      8    20   |                                 | 1000000 128000
claude-sonnet-5-5      2     0.10  2.5    4    10   |                                 | 1000000 128000
claude-haiku-5-5       0.10  0.01  0.125  0.2  0.5  | 100000 0.50 0.05 0.625 1   2.5  | 1000000 128000
gemini-4-argon         2     0.10  -      -    10   |                                 | 1048576 1048576
gemini-3.8-flash       0.75  0.075 -      -    3.75 |                                 | 1048576 65536
gemini-3.5-flash-lite  0.30  0.03  -      -    2.50 |                                 | 1048576 65536
gemini-3.1-pro-preview 2     0.20  -      -    12   | 200000 4    0.40 -     -   18   | 1048576 65536
"""


def _rates_of(cells: list[str]) -> Rates:
    entry, read, write, long, output = (
        int(Decimal(cells[0] if cell == "-" else cell).scaleb(9)) for cell in cells
    )  # fmt: skip
    return Rates(entry, output, read, write, long)


@pytest.mark.parametrize("line", TWELVE.strip().splitlines(), ids=lambda line: line.split()[0])
def test_prices_and_limits_are_those_that_were_checked_by_hand(line: str) -> None:
    base, above, limits = (part.split() for part in line.split("|"))
    steps = [(0, _rates_of(base[1:]))]
    if above:
        steps.append((int(above[0]), _rates_of(above[1:])))
    found = card(base[0])
    assert found.steps == tuple(steps)
    assert [found.context_window, found.max_output_tokens] == [int(limit) for limit in limits]


# --- rate cards ------------------------------------------------------------------------------------------

_PRICE = st.integers(0, 10**12)
_RATES = st.builds(Rates, _PRICE, _PRICE, _PRICE, _PRICE, _PRICE)
_COUNT = st.integers(0, 10**9)
_CARDS = st.builds(
    lambda thresholds, rates: RateCard(
        "m", None, tuple(zip((0, *sorted(thresholds)), rates, strict=False)), None, None, "test"
    ),
    st.sets(st.integers(1, 10**9), max_size=4),
    st.lists(_RATES, min_size=5, max_size=5),
)


@st.composite
def usages(draw: st.DrawFn, most_input: int = 10**9, most_output: int = 10**9, long: bool = True) -> TokenUsage:
    entry = draw(st.integers(0, most_input))
    read = draw(st.integers(0, entry))
    write = draw(st.integers(0, entry - read))
    return TokenUsage(
        entry,
        draw(st.integers(0, most_output)),
        cache_read_tokens=read,
        cache_write_tokens=write,
        cache_write_1h_tokens=draw(st.integers(0, write)) if long else 0,
    )


@given(_CARDS, st.data(), _COUNT, _COUNT)
def test_worst_bounds_the_cost_of_every_usage_within_its_input_and_output(
    found: RateCard, data: st.DataObject, most_input: int, most_output: int
) -> None:
    used = data.draw(usages(most_input, most_output))
    most = TokenUsage(most_input, most_output)
    assert found.cost(used) <= found.worst(most, Reach())
    if not used.cache_write_tokens:
        assert found.cost(used) <= found.worst(most, Reach(cache_writes=False))


@given(_CARDS, _COUNT, _COUNT)
def test_worst_is_reached_by_some_usage_of_a_card_with_one_step(found: RateCard, entry: int, output: int) -> None:
    single = RateCard("m", None, found.steps[:1], None, None, "test")
    splits: tuple[dict[str, int], ...] = ({}, {"cache_read_tokens": entry}, {"cache_write_tokens": entry},
              {"cache_write_tokens": entry, "cache_write_1h_tokens": entry})  # fmt: skip
    dearest = max(single.cost(TokenUsage(entry, output, **split)) for split in splits)
    assert single.worst(TokenUsage(entry, output), Reach()) == dearest


def test_worst_looks_at_a_cheaper_input_below_a_threshold_that_is_dearer() -> None:
    falling = RateCard("m", None, ((0, Rates(5, 9, 5, 5, 5)), (100, Rates(1, 1, 1, 1, 1))), None, None, "test")
    assert falling.worst(TokenUsage(200, 10), Reach()) == 200 * 5 + 10 * 9
    assert falling.cost(TokenUsage(200, 10)) == 210


def test_worst_does_not_look_above_the_input() -> None:
    haiku, at, above = card("claude-haiku-5-5"), TokenUsage(100_000, 10), TokenUsage(100_001, 10)
    assert haiku.worst(at, Reach(cache_writes=False)) == haiku.cost(at)
    assert haiku.worst(above, Reach(cache_writes=False)) == haiku.cost(above)
    assert haiku.worst(TokenUsage(0, 10), Reach()) == haiku.cost(TokenUsage(0, 10)) == 10 * 500_000_000


def test_a_step_begins_one_token_after_its_threshold_and_prices_the_whole_request() -> None:
    haiku = card("claude-haiku-5-5")
    assert haiku.cost(TokenUsage(100_000, 1)) == 100_000 * 100_000_000 + 500_000_000
    assert haiku.cost(TokenUsage(100_001, 1)) == 100_001 * 500_000_000 + 2_500_000_000


def test_each_part_of_the_input_has_its_own_rate() -> None:
    found = RateCard("m", None, ((0, Rates(1, 10, 100, 1_000, 10_000)),), None, None, "test")
    used = TokenUsage(10, 7, cache_read_tokens=2, cache_write_tokens=5, cache_write_1h_tokens=1)
    assert found.cost(used) == 3 * 1 + 2 * 100 + 4 * 1_000 + 1 * 10_000 + 7 * 10


@pytest.mark.parametrize("thresholds", [(), (1,), (0, 0), (0, 5, 3)])
def test_steps_that_do_not_ascend_from_zero_are_refused(thresholds: tuple[int, ...]) -> None:
    rates = Rates(1, 1, 1, 1, 1)
    with pytest.raises(ValueError, match="must ascend from a threshold of 0"):
        RateCard("m", None, tuple((threshold, rates) for threshold in thresholds), None, None, "test")


def test_cards_are_values() -> None:
    found = card("claude-haiku-5-5")
    copy = pickle.loads(pickle.dumps(found))
    assert copy == found
    assert hash(copy) == hash(found)
    assert copy.worst(TokenUsage(200_000, 1), Reach()) == found.worst(TokenUsage(200_000, 1), Reach())


# --- a caller's own table --------------------------------------------------------------------------------


def test_own_prices_are_per_thousand_tokens_and_exact() -> None:
    book = PriceBook.from_pricing(
        {"default": {"input": Decimal("0.003"), "output": "0.015"}, "big": {"input": 1, "output": 2}}
    )
    assert book.own
    default, big = book.card("anything"), book.card("big")
    assert default is not None
    assert big is not None
    assert usd_from_femto(default.cost(TokenUsage(1_000, 1_000))) == Decimal("0.018")
    assert usd_from_femto(big.cost(TokenUsage(1, 1))) == Decimal("0.003")
    assert (big.model, big.provider, big.source) == ("big", None, "pricing")
    assert big.context_window is None
    assert big.max_output_tokens is None


def test_own_cache_prices_are_the_inputs_unless_given() -> None:
    row: dict[str, str | float] = {"input": "0.001", "output": "0.002", "cache_read": "0.0001", "cache_write_1h": 0.004}
    found = PriceBook.from_pricing({"m": row}).card("m")
    assert found is not None
    assert found.steps == ((0, Rates(10**9, 2 * 10**9, 10**8, 10**9, 4 * 10**9)),)


def test_an_own_table_without_a_default_does_not_know_other_models() -> None:
    assert PriceBook.from_pricing({"m": {"input": 1, "output": 1}}).card("gpt-6-astra") is None


def test_an_own_table_is_copied() -> None:
    table = {"m": {"input": 1, "output": 1}}
    book = PriceBook.from_pricing(table)
    table["m"]["input"] = 100
    table["n"] = {"input": 1, "output": 1}
    found = book.card("m")
    assert found is not None
    assert found.cost(TokenUsage(1_000, 0)) == 10**15
    assert book.card("n") is None
    assert book.names("m") == ()


@pytest.mark.parametrize(
    ("pricing", "said"),
    [
        ({}, "at least one model"),
        ([], "must be a mapping"),
        ({"m": {"input": 1}}, r"pricing\['m'\] must be a mapping with 'input' and 'output'"),
        ({"m": 5}, r"pricing\['m'\] must be a mapping"),
        ({"": {"input": 1, "output": 1}}, "non-empty text"),
        ({3: {"input": 1, "output": 1}}, "non-empty text, not 3"),
        ({"m": {"input": 1, "output": 1, "ouput": 7}}, r"pricing\['m'\].*'ouput' \(value 7\); allowed are 'input'"),
        ({"m": {"input": -1, "output": 1}}, r"pricing\['m'\]\['input'\] .*non-negative.*not -1"),
        ({"m": {"input": 1, "output": "NaN"}}, r"pricing\['m'\]\['output'\] .*'NaN'"),
        ({"m": {"input": 1, "output": float("inf")}}, r"pricing\['m'\]\['output'\]"),
        ({"m": {"input": True, "output": 1}}, r"pricing\['m'\]\['input'\] .*True"),
        ({"m": {"input": None, "output": 1}}, r"pricing\['m'\]\['input'\] .*None"),
        ({"m": {"input": "dear", "output": 1}}, r"pricing\['m'\]\['input'\] .*'dear'"),
        ({"m": {"input": "1e-20", "output": 1}}, "whole number of nanodollars per million tokens"),
    ],
)  # fmt: skip
def test_a_wrong_table_is_refused_with_the_model_the_key_and_the_value(pricing: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        PriceBook.from_pricing(pricing)


# --- the shipped prices: what is known -------------------------------------------------------------------


def test_the_shipped_book_is_one_per_process_and_keeps_its_cards() -> None:
    book = PriceBook.shipped()
    assert book is PriceBook.shipped()
    assert not book.own
    assert book.card("claude-opus-5-5") is book.card("claude-opus-5-5")


def test_a_card_says_where_it_comes_from() -> None:
    found = card("claude-opus-5-5")
    assert found.source == f"genai-prices {genai_prices.__version__}: anthropic/claude-opus-5-5"


@pytest.mark.parametrize(
    "name",
    [
        "no-such-model", "", "default", "gpt-6-astra-xyz", "claude-opus-5-5-turbo", "gemini-3.5-flash-lite-made-up",
        "Claude-Opus-5-5", " claude-opus-5-5", "claude-opus-5-5 ", "GPT-4o", "gpt-6.2-astra", "x" * 10_000,
        "anthropic/", "/claude-opus-5-5", "nobody/claude-opus-5-5", "openai/claude-opus-5-5",
        "claude-haiku-5-5-20261001",
    ],
)  # fmt: skip
def test_a_name_that_is_not_listed_is_not_known(name: str) -> None:
    assert PriceBook.shipped(DAY).card(name) is None


def test_names_that_genai_prices_gives_to_a_prefix_are_not_known() -> None:
    invented = "gemini-3.5-flash-lite-made-up"
    assert genai_prices.calc_price(genai_prices.Usage(input_tokens=1_000), invented).total_price > 0
    assert PriceBook.shipped(DAY).card(invented) is None


@pytest.mark.parametrize(
    "name",
    [
        "gemma-4-31b-it",  # listed without a price: genai-prices says 0 USD
        "tts-1", "whisper-1",  # priced by the character, by the hour
        "google/gemma-3n", "devstral-small:free", "github-copilot/gpt-4o",  # free
        "sonar-pro", "perplexity/sonar-reasoning-pro",  # a fee for each request too
        "gpt-realtime", "gpt-audio", "gemini-2.5-flash-image", "gpt-image-2", "gemini-3.8-live",  # other output
        "gpt-4o-transcribe", "gpt-4o-audio-preview",  # other input
        "sonar-deep-research",  # a price of reasoning, of citations
        "mistral-ocr-latest",  # by the page
        "voyage-4", "openai-decisions/gpt-6-luna",  # no price of output, and no word that there is none
    ],
)  # fmt: skip
def test_a_model_whose_price_is_not_all_per_token_of_text_is_not_known(name: str) -> None:
    assert PriceBook.shipped(DAY).card(name) is None


def test_every_card_has_a_price_of_input_and_of_output_unless_it_is_an_embedding() -> None:
    for name in _catalogue().holders:
        found = PriceBook.shipped(DAY).card(name)
        for _, rates in found.steps if found else ():
            assert rates.input > 0
            assert rates.output > 0 or (found and "embed" in found.model.lower())


def test_an_embedding_costs_its_input_and_has_no_output() -> None:
    found = card("text-embedding-3-small")
    assert found.steps == ((0, Rates(20_000_000, 0, 20_000_000, 20_000_000, 20_000_000)),)
    assert found.max_output_tokens == 0
    assert found.context_window is None  # a request carries many texts, each as long as the window


# --- the shipped prices: whose ---------------------------------------------------------------------------


def test_the_ambiguous_names_resolve_as_the_committed_list_says() -> None:
    """After an update of genai-prices: `python scripts/list_ambiguous_models.py --write`, and read the diff."""
    written = AMBIGUOUS.read_text(encoding="utf-8")
    header = re.match(r"# genai-prices (\S+) on (\S+): ", written)
    assert header is not None
    assert header[1] == genai_prices.__version__, "the list was written from another snapshot"
    lines = [line for line in written.splitlines() if not line.startswith("#")]
    catalogue, book = _catalogue(), PriceBook.shipped(date.fromisoformat(header[2]))
    expected: list[str] = []
    for name in sorted(catalogue.holders):
        readings = catalogue.readings(name)
        if len(readings) > 1:
            found = book.card(name)
            means = f"{found.provider}/{found.model}" if found else "unknown"
            expected.append(f"{name} -> {means}, of: {' '.join(f'{provider}/{id}' for provider, id in readings)}")
    assert lines == expected


@pytest.mark.parametrize(
    ("name", "provider", "model"),
    [
        ("claude-opus-5-5", "anthropic", "claude-opus-5-5"),
        ("gpt-6-luna", "openai", "gpt-6-luna"),
        ("gemini-3.8-flash", "google", "gemini-3.8-flash"),
        ("deepseek-v4-pro", "deepseek", "deepseek-v4-pro"),
        ("google/claude-opus-5-5", "google", "claude-opus-5-5"),
        ("anthropic/claude-opus-5-5", "anthropic", "claude-opus-5-5"),
        ("openai/gpt-6-astra", "openai", "gpt-6-astra"),
        ("openrouter/deepseek/deepseek-v4-pro", "openrouter", "deepseek/deepseek-v4-pro"),
        ("zhipuai/GLM-5.3", "zhipuai", "GLM-5.3"),
        ("GLM-5.3", "zai", "GLM-5.3"),
        ("llama-3.1-8b-instant", "groq", "llama-3.1-8b-instant"),
    ],
)
def test_a_name_is_its_makers_or_whose_it_says(name: str, provider: str, model: str) -> None:
    found = card(name)
    assert (found.provider, found.model) == (provider, model)


@pytest.mark.parametrize(
    "name",
    [
        "gpt-oss-120b",  # OpenAI lists it at OpenRouter's price, a tenth of what others ask
        "openai/gpt-oss-120b",
        "deepseek/deepseek-v4-pro",  # DeepSeek's own is half of OpenRouter's
        "meta-llama/llama-3.1-8b-instruct",  # several resellers
        "claude-opus-5.5",  # GitHub Copilot's spelling alone
        "claude-3-opus",  # Google's spelling
    ],
)
def test_a_name_that_may_be_a_dearer_providers_is_not_known(name: str) -> None:
    book = PriceBook.shipped(DAY)
    assert book.card(name) is None
    names = book.names(name)
    assert names
    assert all(book.card(other) is not None for other in names)


def test_the_names_of_an_ambiguous_model_start_with_its_makers() -> None:
    names = PriceBook.shipped(DAY).names("deepseek/deepseek-v4-pro")
    assert names[0] == "deepseek-v4-pro"
    assert "openrouter/deepseek/deepseek-v4-pro" in names
    assert PriceBook.shipped(DAY).names("no-such-model") == ()


def test_no_card_is_cheaper_than_what_another_provider_asks_for_the_same_slashed_name() -> None:
    catalogue, book = _catalogue(), PriceBook.shipped(DAY)
    for name in catalogue.holders:
        found = book.card(name)
        if "/" not in name or found is None:
            continue
        for provider, id in catalogue.readings(name):
            other = book.card(f"{provider}/{id}")
            assert other is None or found.worst(TokenUsage(10_000, 10_000), Reach()) >= other.worst(
                TokenUsage(10_000, 10_000), Reach()
            ), (name, provider)


@pytest.mark.parametrize(
    ("alias", "model"),
    [
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("gpt-5.6", "gpt-5.6-sol"),
        ("claude-opus-4-20250514", "claude-opus-4-0"),
        ("openai/gpt-5-2025-08-07", "gpt-5"),
    ],
)
def test_an_alias_that_is_listed_letter_by_letter_is_its_model(alias: str, model: str) -> None:
    assert card(alias).model == model


@pytest.mark.parametrize("alias", ["gemini-flash-latest", "gpt-5-chat-latest", "grok-latest"])
def test_an_alias_whose_meaning_moves_is_not_known(alias: str) -> None:
    assert genai_prices.calc_price(genai_prices.Usage(input_tokens=1), alias).total_price > 0
    assert PriceBook.shipped(DAY).card(alias) is None


def _provider(id: str, *models: ModelInfo) -> Provider:
    return Provider(id=id, name=id, api_pattern="", models=list(models), model_match=ClauseContains(contains="m"))


def _model(id: str, prices: Any, *aliases: str, comment: str | None = None) -> ModelInfo:
    match = ClauseOr(or_=[ClauseEquals(equals=name) for name in (id, *aliases)])
    return ModelInfo(id=id, match=match, prices=prices, price_comments=comment)


def _price(entry: str = "1", output: str = "2", **others: Any) -> ModelPrice:
    return ModelPrice(input_mtok=Decimal(entry), output_mtok=Decimal(output), **others)


def find(name: str, *providers: Provider, day: date = DAY) -> RateCard | None:
    return _Catalogue(providers, "0", {}).find(name, day)


def test_an_alias_that_two_models_share_is_the_one_that_the_provider_matches_first() -> None:
    maker = _provider("openai", _model("m1", _price("1"), "m"), _model("m2", _price("9"), "m"))
    found = find("m", maker)
    assert found is not None
    assert found.model == "m1"


def test_an_alias_that_another_models_rule_takes_is_not_known() -> None:
    greedy = ModelInfo(id="m1", match=ClauseContains(contains="m"), prices=_price("1"))
    assert find("mx", _provider("openai", greedy, _model("m2", _price("9"), "mx"))) is None


@pytest.mark.parametrize(("entry", "output"), [("0", "2"), ("1", "0"), ("0", "0")])
def test_a_model_that_is_free_in_part_is_not_known(entry: str, output: str) -> None:
    assert find("m", _provider("openai", _model("m", _price(entry, output)))) is None
    assert find("embed-0", _provider("openai", _model("embed-0", _price("0", output)))) is None


def test_an_id_goes_before_an_alias() -> None:
    found = find("m2", _provider("openai", _model("m1", _price("1"), "m2"), _model("m2", _price("9"))))
    assert found is not None
    assert found.model == "m2"


def test_a_maker_whose_price_is_a_copy_does_not_count_as_its_maker() -> None:
    copied = _provider("openai", _model("m", _price("1"), comment="Imported from OpenRouter pricing; verify"))
    reseller = _provider("reseller", _model("m", _price("9")))
    assert find("m", copied, reseller) is None
    assert find("m", copied) is not None


def test_a_new_kind_of_price_makes_a_model_unknown() -> None:
    assert find("m", _provider("openai", _model("m", _price(thoughts_mtok=Decimal(7))))) is None


@pytest.mark.parametrize("wrong", ["NaN", "-1", "Infinity"])
def test_a_price_that_is_none_makes_a_model_unknown(wrong: str) -> None:
    assert find("m", _provider("openai", _model("m", _price(cache_read_mtok=Decimal(wrong))))) is None


def test_a_price_finer_than_a_femtodollar_is_rounded_up() -> None:
    found = find("m", _provider("openai", _model("m", _price("0.0833333333333333"))))
    assert found is not None
    assert found.steps[0][1].input == 83_333_334


def test_limits_are_the_makers_alone() -> None:
    assert card("anthropic/claude-opus-5-5").context_window == 1_000_000
    reseller = card("google/claude-opus-5-5")
    assert reseller.context_window is None
    assert reseller.max_output_tokens is None


# --- the shipped prices: when ----------------------------------------------------------------------------


def dated(*rows: ConditionalPrice) -> Provider:
    return _provider("openai", _model("m", list(rows)))


def row(price: str, starts: date | None = None) -> ConditionalPrice:
    return ConditionalPrice(StartDateConstraint(starts) if starts else None, prices=_price(price, price))


@pytest.mark.parametrize(
    ("day", "price"),
    [
        (date(2026, 6, 1), 5),  # before it fell
        (date(2026, 6, 29), 5),
        (date(2026, 7, 1), 2),
        (date(2026, 11, 28), 2),
        (date(2026, 11, 29), 4),  # a rise counts two days before it starts
        (date(2026, 12, 1), 4),
    ],
)
def test_a_card_is_never_cheaper_than_a_price_that_starts_within_two_days(day: date, price: int) -> None:
    provider = dated(row("5"), row("2", date(2026, 7, 1)), row("4", date(2026, 12, 1)))
    found = find("m", provider, day=day)
    assert found is not None
    assert found.steps[0][1].input == price * 10**9


def test_a_fall_counts_when_it_has_started() -> None:
    provider = dated(row("5"), row("2", DAY))
    before, on = find("m", provider, day=DAY - timedelta(days=1)), find("m", provider)
    assert before is not None
    assert before.steps[0][1].input == 5 * 10**9
    assert on is not None
    assert on.steps[0][1].input == 2 * 10**9


def test_a_price_by_the_time_of_day_is_the_dearest_of_the_day() -> None:
    peak = ConditionalPrice(TimeOfDateConstraint(time(1), time(4)), prices=_price("3", "9"))
    found = find("m", dated(row("7"), row("4", date(2026, 1, 1)), peak))
    assert found is not None
    assert (found.steps[0][1].input, found.steps[0][1].output) == (4 * 10**9, 9 * 10**9)


def test_a_model_that_is_not_for_sale_yet_is_not_known() -> None:
    assert find("m", dated(row("5", DAY + timedelta(days=1)))) is None


def test_the_book_of_the_process_follows_the_calendar(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gemini 4 Argon doubles on 2026-12-01."""
    book, now = PriceBook(False, {}, None), [0.0]
    monkeypatch.setattr("agent_airlock.prices.time", lambda: now[0])
    now[0] = datetime(2026, 11, 28, 23, 59, tzinfo=UTC).timestamp()
    before = book.card("gemini-4-argon")
    now[0] += 60
    after = book.card("gemini-4-argon")
    assert before is not None
    assert before.steps[0][1].output == 10 * 10**9
    assert after is not None
    assert after.steps[0][1].output == 20 * 10**9


def test_steps_of_several_rows_are_the_dearest_at_each_threshold() -> None:
    def tiers(base: str, *above: tuple[int, str]) -> ModelPrice:
        price = TieredPrices(base=Decimal(base), tiers=[Tier(start, Decimal(usd)) for start, usd in above])
        return ModelPrice(input_mtok=price, output_mtok=Decimal(1))

    low = ConditionalPrice(prices=tiers("1", (100, "8")))
    high = ConditionalPrice(TimeOfDateConstraint(time(1), time(4)), prices=tiers("2", (101, "9")))
    found = find("m", dated(low, high))
    assert found is not None
    assert [(threshold, rates.input // 10**9) for threshold, rates in found.steps] == [(0, 2), (100, 8), (101, 9)]


# --- the shipped prices: that they are genai-prices' -----------------------------------------------------

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def _simple(found: RateCard) -> bool:
    """Whether genai-prices computes from the same one row: no time of day, and no rate that was rounded up."""
    assert found.provider is not None
    model = _catalogue().models[found.provider, found.model]
    rows = model.prices if isinstance(model.prices, list) else []
    if any(isinstance(row.constraint, TimeOfDateConstraint) for row in rows):
        return False
    prices = [price for price in vars(model.get_prices(NOON)).values() if price is not None]
    plain = [usd for price in prices for usd in ([price.base, *(tier.price for tier in price.tiers)]
             if isinstance(price, TieredPrices) else [price])]  # fmt: skip
    return all(usd == round(usd, 9) for usd in plain)


def _known() -> list[RateCard]:
    found = (PriceBook.shipped(DAY).card(f"{provider}/{name}") for provider, name in _catalogue().models)
    return [one for one in found if one is not None and _simple(one)]


KNOWN = _known()


def _theirs(found: RateCard, used: TokenUsage) -> Decimal:
    assert found.provider is not None
    usage = genai_prices.Usage(
        input_tokens=used.input_tokens,
        output_tokens=used.output_tokens,
        cache_read_tokens=used.cache_read_tokens,
        cache_write_tokens=used.cache_write_tokens,
        cache_write_1h_tokens=used.cache_write_1h_tokens,
        input_audio_tokens=0, input_image_tokens=0, input_video_tokens=0,
        cache_audio_read_tokens=0, cache_image_read_tokens=0,
    )  # fmt: skip
    model = _catalogue().models[found.provider, found.model]
    return model.get_prices(NOON).calc_price(usage)["total_price"]


def _prices_long_writes(found: RateCard) -> bool:
    assert found.provider is not None
    prices = _catalogue().models[found.provider, found.model].get_prices(NOON)
    return prices.cache_write_1h_mtok is not None or prices.cache_write_mtok is None or found.provider != "openai"


@given(st.sampled_from(KNOWN), st.data())
def test_costs_are_genai_prices_own_to_the_femtodollar(found: RateCard, data: st.DataObject) -> None:
    long = _prices_long_writes(found)  # it has no price of OpenAI's 12 h writes, and takes the short one's
    used = data.draw(usages(3_000_000, 300_000, long=long))
    assert usd_from_femto(found.cost(used)) == _theirs(found, used)


def test_every_step_begins_where_genai_prices_own_does() -> None:
    for found in KNOWN:
        for threshold, _ in found.steps[1:]:
            for tokens in (threshold - 1, threshold, threshold + 1):
                used = TokenUsage(tokens, 1_000)
                assert usd_from_femto(found.cost(used)) == _theirs(found, used), (found.model, tokens)


# --- limits ----------------------------------------------------------------------------------------------


def test_every_limit_is_of_a_model_that_is_known_by_its_maker_and_says_where_it_comes_from() -> None:
    import agent_airlock.prices as prices

    table = json.loads(Path(prices.__file__).with_name("limits.json").read_text(encoding="utf-8"))
    assert all(table[key] for key in ("source", "version", "date", "licence"))
    assert 60 <= len(table["models"]) <= 150
    for name, limits in table["models"].items():
        found = card(name)
        assert found.provider in MAKERS
        assert found.model == name
        assert limits
        assert limits.keys() <= {"context_window", "max_output_tokens"}
        assert all(type(limit) is int and limit > 0 for limit in limits.values())
        window = limits.get("context_window")
        assert window is None or found.steps[-1][0] < window, f"{name} has a step above its window"


def test_windows_are_never_below_those_of_genai_prices() -> None:
    for found in KNOWN:
        if found.context_window is not None and found.provider is not None:
            published = _catalogue().models[found.provider, found.model].context_window
            assert found.context_window >= (published or 0), found.model


# --- loading ---------------------------------------------------------------------------------------------


def test_genai_prices_is_loaded_when_a_first_shipped_card_is_asked_for_and_not_before() -> None:
    program = """if 1:
        import sys
        from agent_airlock.prices import PriceBook
        book = PriceBook.from_pricing({"default": {"input": 1, "output": 1}})
        assert book.card("m") and PriceBook.shipped()
        assert "genai_prices" not in sys.modules
        assert PriceBook.shipped().card("claude-opus-5-5")
        assert "genai_prices" in sys.modules
    """
    subprocess.run([sys.executable, "-c", program], check=True)


def test_what_an_updater_of_genai_prices_has_fetched_is_not_used() -> None:
    from genai_prices import data_snapshot

    before = card("claude-opus-5-5")
    data_snapshot.set_custom_snapshot(data_snapshot.DataSnapshot(providers=[], from_auto_update=True))
    try:
        assert PriceBook.shipped(DAY).card("claude-opus-5-5") == before
    finally:
        data_snapshot.set_custom_snapshot(None)
