"""The keys of an ``airlock.toml``, table by table, from its JSON schema."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from agent_airlock.policy_tables import schema

Schema = dict[str, Any]

_WORDS: Final = {"string": "text", "boolean": "true or false", "integer": "whole number", "number": "number"}


def part(root: Path) -> str:
    """A section for each table of the file."""
    whole = schema()
    return "\n\n".join(_sections(whole["properties"], "", whole["$defs"]))


def _sections(keys: Schema, above: str, tables: Schema) -> Iterator[str]:
    for name, key in keys.items():
        path = above + name
        for heading, table in _tables_of(path, key, tables):
            said = key.get("description")
            yield _section(heading, table, said, tables)
            yield from _sections(table["properties"], f"{path}.", tables)
            if isinstance(table.get("additionalProperties"), dict):
                yield _section(f"[{path}.NAME]", _resolved(table["additionalProperties"], tables), None, tables)
        if not above and not list(_tables_of(path, key, tables)):
            yield f"### `[{path}]`\n\n{key.get('description', 'Any name')}: {_type(key)}."


def _tables_of(path: str, key: Schema, tables: Schema) -> Iterator[tuple[str, Schema]]:
    """The heading and the keys of each table that a key may hold."""
    inside: Any = key.get("additionalProperties")  # False where a table takes no other keys
    forms: tuple[tuple[str, Schema | None], ...] = (
        (f"[[{path}]]", key.get("items")),
        (f"[{path}.NAME]", inside or None),
        (f"[{path}]", key),
    )
    for heading, form in forms:
        for choice in _choices(form) if form is not None else ():
            if "$ref" in choice:
                yield heading, _resolved(choice, tables)


def _choices(key: Schema) -> list[Schema]:
    """What a key may be, None left out, which TOML does not have."""
    choices: list[Schema] = key.get("anyOf") or key.get("oneOf") or [key]
    return [choice for choice in choices if choice.get("type") != "null"]


def _resolved(key: Schema, tables: Schema) -> Schema:
    found: Schema = tables[key["$ref"].rpartition("/")[2]]
    return found


def _section(heading: str, table: Schema, said: str | None, tables: Schema) -> str:
    text = " ".join(str(table.get("description", "")).split())
    intro = f"{said}. {text}" if said else text
    required = table.get("required", ())
    rows = [
        f"| `{name}` | {_type(key)} | {'required' if name in required else _toml(key.get('default'))} | "
        f"{key.get('description', '')} |"
        for name, key in table["properties"].items()
        if not any(heading.startswith("[[") for heading, _ in _tables_of(name, key, tables))
    ]
    return "\n".join(
        (f"### `{heading}`", "", intro, "", "| key | value | default | |", "| --- | --- | --- | --- |", *rows)
    )


def _type(key: Schema) -> str:
    if "enum" in key:
        return ", ".join(f'`"{value}"`' for value in key["enum"])
    if key.get("type") == "array":
        return f"list of {_plural(key['items'])}"
    if key.get("type") == "object":
        return f"table of {_plural(key['additionalProperties'])}"
    return " or ".join(_words(key))


def _plural(key: Schema) -> str:
    return " or ".join(f"{word}s" for word in _words(key))


def _words(key: Schema) -> list[str]:
    choices = _choices(key)
    numbers = any(choice.get("type") == "number" for choice in choices)
    return [_word(choice) for choice in choices if not (numbers and choice.get("type") == "integer")]


def _word(choice: Schema) -> str:
    return "table" if "$ref" in choice else _WORDS.get(choice["type"]) or _type(choice)


def _toml(value: Any) -> str:
    """A default as the file would have it; nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"
