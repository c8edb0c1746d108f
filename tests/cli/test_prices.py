"""``airlock prices show``, and ``airlock --version``: what is known, from where, and how old it is."""

from __future__ import annotations

from decimal import Decimal
from importlib.metadata import version
from pathlib import Path

import pytest

from agent_airlock import TokenUsage
from agent_airlock.price_facts import STALE_DAYS, UNKNOWN, snapshot_date
from agent_airlock.prices import PriceBook, Reach
from tests.cli.running import ask, run, write

OWN = """
[prices]
mine = { input = 3, output = 12.5, context_window = 128_000 }
[model_aliases]
short = "mine"
fast = "claude-haiku-5-5"
none = "no-such-model"
"""


def test_it_shows_a_policys_own_card_and_what_is_not_known(tmp_path: Path) -> None:
    result = run("prices", "show", "short", "--policy", write(tmp_path, OWN), "--usage", "input=1_000,output=300")
    assert (result.exit_code, result.stderr) == (0, "")
    assert (
        result.stdout
        == """\
mine
prices: SecurityPolicy.prices
limits: 128,000 tokens of context, largest output not known (SecurityPolicy.prices)
USD per million tokens  input  output  cache read  cache write  cache write 1h
                        3      12.5    3           3            3
input 1,000, output 300: 0.00675 USD, at worst 0.00675 USD
not known:
"""
        + "".join(f"  - {unknown}\n" for unknown in UNKNOWN)
    )


def test_it_shows_a_shipped_card_its_steps_its_sources_and_their_date() -> None:
    shown = run("prices", "show", "claude-haiku-5-5").stdout.splitlines()
    assert shown[0] == "claude-haiku-5-5 (anthropic)"
    source = f"genai-prices {version('genai-prices')}: anthropic/claude-haiku-5-5"
    assert shown[1] == f"prices: {source}, compared on {snapshot_date()}"
    assert shown[4].startswith("from the first token")
    assert shown[5].startswith("above 100,000 of input")
    assert any(line.startswith("known, and not in these prices: ") for line in shown)


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ("input=1200,output=300", TokenUsage(1_200, 300)),
        ("output=7", TokenUsage(0, 7)),
        (" input = 150_000 , output=1,cache_read=1000", TokenUsage(150_000, 1, cache_read_tokens=1_000)),
        (
            "input=9,cache_write=8,cache_write_1h=7",
            TokenUsage(9, 0, cache_write_tokens=8, cache_write_1h_tokens=7),
        ),
    ],
)
def test_what_a_usage_costs_is_exact_and_so_is_its_worst_case(usage: str, tokens: TokenUsage) -> None:
    card = PriceBook.shipped().card("claude-haiku-5-5")
    assert card is not None
    code, said = ask("prices", "show", "claude-haiku-5-5", "--usage", usage)
    assert code == 0
    assert Decimal(said["cost_usd"]) == card.usd(tokens)
    assert Decimal(said["worst_case_usd"]) == card.usd(tokens, Reach())
    assert said["usage"]["input"] == tokens.input_tokens


def test_worked_out_by_hand() -> None:
    """1,200 × 0.10 and 300 × 0.50 USD per million; at worst all input is written to the dearest cache, at 0.20."""
    said = ask("prices", "show", "claude-haiku-5-5", "--usage", "input=1200,output=300")[1]
    assert (said["cost_usd"], said["worst_case_usd"]) == ("0.00027", "0.00039")


def test_a_model_without_a_price_ends_with_1_and_says_what_may_be_meant() -> None:
    result = run("prices", "show", "openai/gpt-oss-120b")
    assert (result.exit_code, result.stderr) == (1, "")
    assert "no price is known for openai/gpt-oss-120b" in result.stdout
    code, said = ask("prices", "show", "no-such-model")
    assert (code, said["ok"], said["known"], said["names"]) == (1, False, False, [])


def test_an_alias_of_a_model_without_a_price_ends_with_1(tmp_path: Path) -> None:
    assert run("prices", "show", "none", "--policy", write(tmp_path, OWN)).exit_code == 1


def test_the_policy_is_else_the_one_of_the_environment(tmp_path: Path) -> None:
    path = write(tmp_path, OWN)
    code, said = ask("prices", "show", "fast", AIRLOCK_POLICY=str(path))
    assert (code, said["policy"], said["model"]) == (0, str(path), "claude-haiku-5-5")
    assert ask("prices", "show", "fast")[0] == 1


def test_a_policy_that_is_wrong_or_not_there_is_told(tmp_path: Path) -> None:
    assert run("prices", "show", "gpt-5", "--policy", tmp_path / "none.toml").exit_code == 3
    assert run("prices", "show", "gpt-5", "--policy", write(tmp_path, "a = 1")).exit_code == 1


NO_USAGES = (
    "",
    "input",
    "input=",
    "input=-1",
    "input=1.5",
    "input=1e3",
    "inputs=1",
    "input=1,input=2",
    "input=1,",
    "input=٣",
    "input=1,cache_read=2",
    "input=99999999999999999",
    "input=9999999999999999",
    "input=1;output=2",
    "total=3",
)


@pytest.mark.parametrize("usage", NO_USAGES)
def test_a_usage_that_is_none_is_wrong_usage(usage: str) -> None:
    result = run("prices", "show", "gpt-5", "--usage", usage)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--usage" in result.stderr


@pytest.mark.parametrize("model", ["", "x" * 100_000, "\x1b[2J", "\udcff", "[red]gpt[/red]", "../../etc/passwd"])
def test_a_hostile_name_is_an_unknown_model(model: str) -> None:
    result = run("prices", "show", "--", model)
    assert (result.exit_code, result.stderr) == (1, "")
    assert all(line.isprintable() for line in result.stdout.splitlines())


# --- how old they are -----------------------------------------------------------------------------------------


def test_the_version_has_the_date_of_the_prices() -> None:
    result = run("--version")
    own, prices = version("agent-airlock-ledger"), version("genai-prices")
    assert (result.exit_code, result.stdout) == (
        0,
        f"airlock {own}, prices of {snapshot_date()} (genai-prices {prices})\n",
    )
    code, said = ask("--version")
    assert code == 0
    assert (said["version"], said["prices_date"], said["genai_prices"]) == (own, snapshot_date().isoformat(), prices)
    assert said["prices_stale"] is (said["prices_age_days"] > STALE_DAYS)


def test_old_prices_are_warned_of_on_stderr(old_prices: None, tmp_path: Path) -> None:
    for words in (("--version",), ("prices", "show", "gpt-5")):
        result = run(*words)
        assert result.exit_code == 0
        assert result.stderr.startswith("warning: prices: the shipped ones are ")
        assert "pip install --upgrade" in result.stderr
        assert ask(*words)[1]["prices_stale"] is True
    assert run("prices", "show", "mine", "--policy", write(tmp_path, OWN)).stderr == "", "its own prices do not age"
