"""Write src/agent_airlock/limits.json: context windows and maximum outputs, in tokens.

    pip download --no-deps litellm==1.109.1
    PYTHONPATH=src python scripts/make_limits.py litellm-1.109.1-*.whl

The argument is litellm's wheel (41 MB, so it is nobody's dependency), or its
``model_prices_and_context_window_backup.json`` and ``--version``. Its rows are taken for the models that
``PriceBook.shipped()`` knows by their maker. A limit is a ceiling of what a call can cost, so the *largest*
published number is the safe one:

* genai-prices rounds windows down (1,000,000 for Gemini's 1,048,576), litellm often has the input's part of the
  window (OpenAI: 922,000 = 1,050,000 − 128,000): the larger of the two; for OpenAI, where genai-prices has none,
  input + output.
* A model's aliases (``gpt-5.1-codex`` is priced as ``gpt-5.1``) may have other limits: the largest of them all.
* An embedding's window is that of one text, and a request carries up to 2,048 of them: no row.
* litellm's bare ``gemini-…`` keys are Vertex AI's rows: Google's own are ``gemini/…``.

It fails where a price step begins at or above the window that it would write (a beta window that litellm lacks),
and where a cache write of OpenAI that lives 12 h is not what `agent_airlock.prices` takes it to be.
"""

from __future__ import annotations

import argparse
import json
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent_airlock.prices import MAKERS, PriceBook, RateCard, _catalogue

ROWS_FILE = "model_prices_and_context_window_backup.json"
TARGET = Path(__file__).parents[1] / "src" / "agent_airlock" / "limits.json"

KEYS: Mapping[str, tuple[str, ...]] = {
    "anthropic": ("",),
    "openai": ("",),
    "google": ("gemini/",),
    "mistral": ("mistral/",),
    "deepseek": ("deepseek/",),
    "x-ai": ("xai/",),
    "cohere": ("", "cohere/"),
    "meta": ("meta/",),
    "moonshotai": ("moonshot/",),
    "minimax": ("minimax/",),
    "perplexity": ("perplexity/",),
    "zai": ("zai/",),
    "voyageai": ("voyage/",),
}
"""How litellm's keys of a maker begin."""

ADDED: Mapping[str, tuple[int, int, str]] = {
    "claude-fable-5-2": (
        1_000_000, 128_000,
        "not in litellm 1.109.1: genai-prices 0.2.3 (window); third-party statement of 2026-11 (maximum output)",
    ),
    "claude-sonnet-4-5": (
        1_000_000, 64_000,
        "litellm 1.109.1 has the window without the 1M beta, which genai-prices 0.2.3 prices (over 200,000 tokens)",
    ),
}  # fmt: skip
"""What litellm lacks: window, maximum output, source. gpt-6.2-* have limits, but no price in any data set yet."""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("path", type=Path, help="litellm's wheel, or its JSON file")
    arguments.add_argument("--version", help="litellm's version, where path is the JSON file")
    given = arguments.parse_args()
    rows, version = read(given.path, given.version)
    models = dict(sorted(limits(rows)))
    header = {
        "source": f"litellm {version} ({ROWS_FILE}) and genai-prices {_catalogue().version}, the larger of each; added",
        "added": {name: source for name, (_, _, source) in sorted(ADDED.items())},
        "version": version,
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "licence": "MIT (litellm: Berri AI; genai-prices: Pydantic Services)",
    }
    lines = ",\n".join(f"    {json.dumps(name)}: {json.dumps(row)}" for name, row in models.items())
    head = json.dumps(header, indent=2, ensure_ascii=False).removesuffix("\n}")
    TARGET.write_text(f'{head},\n  "models": {{\n{lines}\n  }}\n}}\n', encoding="utf-8")
    print(f"{TARGET}: {len(models)} models")


def read(path: Path, version: str | None) -> tuple[dict[str, dict[str, Any]], str]:
    """litellm's rows and version."""
    if path.suffix != ".whl":
        if not version:
            sys.exit("a JSON file needs --version")
        return json.loads(path.read_text(encoding="utf-8")), version
    with zipfile.ZipFile(path) as wheel:
        return json.loads(wheel.read(f"litellm/{ROWS_FILE}")), path.name.split("-")[1]


def limits(rows: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, dict[str, int]]]:
    """(model, its limits) for every model that is known by its maker and has limits."""
    for card, names in _known():
        maker, model = card.provider or "", card.model
        found = [rows[key] for name in names for prefix in KEYS[maker] if (key := prefix + name) in rows]
        published = _catalogue().models[maker, model].context_window
        window, output = _largest(maker, found, published)
        if model in ADDED:
            window, output = ADDED[model][:2]
        if window and card.steps[-1][0] >= window:
            sys.exit(f"{model}: a price step begins at {card.steps[-1][0]:,}, at or above its window of {window:,}")
        check_long_writes(card, found)
        row = {"context_window": window, "max_output_tokens": output}
        if window or output:
            yield model, {key: value for key, value in row.items() if value}


def _known() -> list[tuple[RateCard, list[str]]]:
    """The card, and the id and its aliases, of every id that means its maker's card."""
    known: dict[tuple[str, str], list[str]] = defaultdict(list)
    for (provider, name), model in _catalogue().models.items():
        if provider in MAKERS:
            known[provider, model.id].append(name)
    cards = ((PriceBook.shipped().card(model), provider, names) for (provider, model), names in known.items())
    return [
        (card, names)
        for card, provider, names in cards
        if card and card.provider == provider and "embed" not in card.model
    ]


def _largest(maker: str, found: list[Mapping[str, Any]], published: int | None) -> tuple[int, int]:
    output = max((row.get("max_output_tokens") or 0 for row in found), default=0)
    window = max((row.get("max_input_tokens") or 0 for row in found), default=0)
    if maker == "openai" and not published and window:
        window += output
    return (max(window, published or 0) if window else 0), output


def check_long_writes(card: RateCard, found: list[Mapping[str, Any]]) -> None:
    """litellm's price of a write that lives 12 h is the card's ``cache_write_1h``, at every step."""
    for row in found:
        for key, usd in row.items():
            if key == "cache_creation_input_token_cost_above_12hr":
                rates = card.steps[0][1]
            elif key == "cache_creation_input_token_cost_above_12hr_above_272k_tokens":
                rates = card.steps[-1][1]
            else:
                continue
            if round(usd * 10**15) != rates.cache_write_1h:
                sys.exit(f"{card.model}: {key} is {usd}, the card has {rates.cache_write_1h} femtodollars")


if __name__ == "__main__":
    main()
