"""The corpus of hostile and of ordinary URLs, for whoever tests with it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Literal, NamedTuple, cast

CORPUS: Final = Path(__file__).parents[1] / "data" / "hostile_urls.txt"
_ESCAPE: Final = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|([tnr\\]))")
_PLAIN: Final = {"t": "\t", "n": "\n", "r": "\r", "\\": "\\"}


class Case(NamedTuple):
    name: str
    verdict: Literal["block", "pass"]
    text: str
    source: str


def hostile_urls() -> list[Case]:
    """Raises ValueError where a line is not written as the corpus's head says."""
    cases: list[Case] = []
    for number, line in enumerate(CORPUS.read_text(encoding="utf-8").splitlines(), start=1):
        if not line or line.startswith("#"):
            continue
        fields = line.split("\t")
        if len(fields) != 4 or fields[1] not in ("block", "pass") or not fields[0] or not fields[3]:
            raise ValueError(f"{CORPUS.name}, line {number}: not what ⇥ verdict ⇥ text ⇥ source")
        name, verdict, text, source = fields
        cases.append(Case(name, cast("Literal['block', 'pass']", verdict), _ESCAPE.sub(_unescape, text), source))
    return cases


def _unescape(escape: re.Match[str]) -> str:
    code = escape[1] or escape[2]
    return chr(int(code, 16)) if code else _PLAIN[escape[3]]
