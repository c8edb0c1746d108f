"""List the names that genai-prices gives to more than one model, and which card each of them gets.

    PYTHONPATH=src python scripts/list_ambiguous_models.py --write

writes tests/data/ambiguous_models.txt, which tests/test_prices.py compares with the installed data: after an update
of genai-prices the test fails until the file is written anew, and its diff is what moved.
"""

from __future__ import annotations

import argparse
from datetime import UTC, date, datetime
from pathlib import Path

from agent_airlock.prices import PriceBook, _catalogue

TARGET = Path(__file__).parents[1] / "tests" / "data" / "ambiguous_models.txt"


def report(day: date) -> str:
    """One line a name, on that day: ``name -> provider/id, of: what else it may mean``."""
    catalogue, book = _catalogue(), PriceBook.shipped(day)
    lines: list[str] = []
    for name in sorted(catalogue.holders):
        readings = catalogue.readings(name)
        if len(readings) > 1:
            card = book.card(name)
            means = f"{card.provider}/{card.model}" if card else "unknown"
            lines.append(f"{name} -> {means}, of: {' '.join(f'{provider}/{id}' for provider, id in readings)}")
    unknown = sum(" -> unknown," in line for line in lines)
    return "\n".join(
        (
            f"# genai-prices {catalogue.version} on {day}: {len(lines)} names may mean several, {unknown} are unknown.",
            "# Written by scripts/list_ambiguous_models.py --write.",
            *lines,
            "",
        )
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--write", action="store_true", help=f"write {TARGET.name}, in place of printing it")
    text = report(datetime.now(UTC).date())
    if arguments.parse_args().write:
        TARGET.write_text(text, encoding="utf-8")
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
