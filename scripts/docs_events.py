"""The tables of events and of their fields, from ``agent_airlock.events.SCHEMA``."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from agent_airlock.events import SCHEMA


def part(root: Path) -> str:
    """Which events there are, and below it what their fields are."""
    events = ["| event | level | when | fields |", "| --- | --- | --- | --- |", *_events()]
    fields = ["| field | of | what it is |", "| --- | --- | --- |", *_fields()]
    return "\n".join((*events, "", *fields))


def _events() -> Iterator[str]:
    for kind, schema in SCHEMA.items():
        level = logging.getLevelName(schema.level)
        yield f"| `{kind.value}` | {level} | {schema.when} | {_codes(schema.fields) or 'none'} |"


def _fields() -> Iterator[str]:
    """Fields of one name that mean the same stand in one line."""
    found: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for kind, schema in SCHEMA.items():
        for field, meaning in schema.fields.items():
            found[field, meaning].append(kind.value)
    for (field, meaning), kinds in sorted(found.items()):
        yield f"| `{field}` | {_codes(kinds)} | {meaning} |"


def _codes(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
