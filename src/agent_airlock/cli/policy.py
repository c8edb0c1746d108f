"""``airlock policy``: whether a file is a policy, and what it says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

from .answers import Answer, Code, Grid, Line, Piece
from .loading import open_policy
from .terminal import AsJson, File, answer, group, option
from .words import redacted

commands = group("Whether a file is a policy, and what it says.")


@commands.command()
def check(
    file: File = None,
    strict: Annotated[bool, option("--strict", help="Warnings fail too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say what is wrong with a policy.

    Everything at once, each with the path of its key. Warnings are of what is allowed, and worth a second look: limits
    for ids that can be made up, globs that allow nothing, names without a price, what only observes, old prices.
    """
    answer(lambda: checked(file, strict=strict), as_json=as_json)


@commands.command()
def show(
    file: File = None,
    digest: Annotated[bool, option("--digest", help="The digest alone.")] = False,
    toml: Annotated[bool, option("--toml", help="The policy alone, as TOML that reads back equal.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what a policy says, and its digest.

    What is at its default is left out, and what may be a secret is hidden. Two files that say the same have the same
    digest.
    """
    answer(lambda: shown(file, digest_only=digest, as_toml=toml), as_json=as_json)


# --- check -----------------------------------------------------------------------------------------------


def checked(file: Path | None, *, strict: bool) -> Answer:
    """Problems and warnings, each as ``key: what``."""
    from ..exceptions import PolicyFileError
    from .advice import advice

    try:
        opened = open_policy(file)
    except PolicyFileError as error:
        return _verdict(error.path, error.problems, (), None, ok=False)
    told = [*opened.warned, *advice(opened.loaded)]
    return _verdict(opened.file, (), told, opened.loaded.digest, ok=not (strict and told))


def _verdict(file: str, problems: Sequence[str], told: Sequence[str], digest: str | None, *, ok: bool) -> Answer:
    data = {"ok": ok, "file": file, "problems": list(problems), "warnings": list(told), "digest": digest}
    pieces = [Line(f"{file}: {problem}", "bad") for problem in problems]
    pieces += [Line(f"{file}: warning: {warning}", "warning") for warning in told]
    if ok:
        pieces.append(Line(f"ok: {file} is a policy" + (f", with {_counted(told)}" if told else ""), "good"))
    return Answer(data, pieces, Code.FINE if ok else Code.NO)


def _counted(told: Sequence[str]) -> str:
    return "1 warning" if len(told) == 1 else f"{len(told)} warnings"


# --- show ------------------------------------------------------------------------------------------------


def shown(file: Path | None, *, digest_only: bool, as_toml: bool) -> Answer:
    """The policy's tables, as its file has them."""
    opened = open_policy(file)
    digest = opened.loaded.digest
    data: dict[str, Any] = {"ok": True, "file": opened.file, "digest": digest}
    if digest_only:
        return Answer(data, [Line(digest)])
    import tomllib

    from ..policy_writer import policy_text

    loaded = opened.loaded
    url = None if loaded.ledger_url is None else redacted(loaded.ledger_url)
    text = policy_text(loaded.policy, loaded.config, url)
    if as_toml:
        return Answer({**data, "toml": text}, [Line(line) for line in text.splitlines()])
    tables = tomllib.loads(text, parse_float=Decimal)
    head: list[Piece] = [Line(opened.file, "strong"), Grid([["digest", digest], *_rows(tables)])]
    return Answer({**data, "tables": _exact(tables)}, head)


def _rows(tables: Mapping[str, Any], key: str = "") -> Iterator[list[str]]:
    """Each value with its key's path. The policy's own table is what a reader expects, and goes without its name."""
    for name, value in tables.items():
        path = f"{key}.{name}".removeprefix(".").removeprefix("policy.")
        given = value
        if isinstance(value, dict):
            yield from _rows(given, path)
        elif isinstance(value, list) and given and isinstance(given[0], dict):
            for place, table in enumerate(given):
                yield from _rows(table, f"{path}[{place}]")
        else:
            yield [path, _text(value)]


def _text(value: Any) -> str:
    given = value
    if isinstance(value, list):
        return ", ".join(_text(item) for item in given) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _exact(value: Any) -> Any:
    """As JSON has it; a number that is not whole as text, because readers of JSON round it."""
    given = value
    if isinstance(value, dict):
        return {name: _exact(item) for name, item in given.items()}
    if isinstance(value, list):
        return [_exact(item) for item in given]
    return f"{value:f}" if isinstance(value, Decimal) else value
