"""Write what the documents have from the code: invariants, names, events, the policy's file.

    python -m scripts.write_docs            # write it anew
    python -m scripts.write_docs --check    # say which pages are stale, and fail if any is

A generated part stands between ``<!-- NAME: generated -->`` and ``<!-- NAME: end -->``.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from scripts import docs_command, docs_events, docs_invariants, docs_names, docs_policy_file

ROOT: Final = Path(__file__).resolve().parents[1]
PARTS: Final[Mapping[str, tuple[str, Callable[[Path], str]]]] = {
    "invariants": ("docs/invariants.md", docs_invariants.part),
    "events": ("docs/reference/events.md", docs_events.part),
    "commands": ("docs/reference/cli.md", docs_command.part),
    "names": ("docs/reference/names.md", docs_names.part),
    "tables": ("docs/reference/policy-file.md", docs_policy_file.part),
}
"""Name of a part → its page, and what writes it from the repository's root."""


def renewed(page: str, name: str, part: str) -> str:
    """The page with its part ``name`` in place.

    Raises:
        ValueError: the page has no such part, or has it twice.
    """
    begin, end = f"<!-- {name}: generated -->", f"<!-- {name}: end -->"
    if page.count(begin) != 1 or page.count(end) != 1:
        raise ValueError(f"there must be one {begin} and one {end} on the page")
    found = re.compile(f"{re.escape(begin)}.*{re.escape(end)}", re.DOTALL)
    return found.sub(lambda _: f"{begin}\n\n{part.strip()}\n\n{end}", page)


def stale(root: Path, name: str) -> tuple[Path, str] | None:
    """The page of a part and its text as it should be; None where it is so already."""
    where, write = PARTS[name]
    path = root / where
    text = path.read_text(encoding="utf-8")
    wanted = renewed(text, name, write(root))
    return None if wanted == text else (path, wanted)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--check", action="store_true", help="change nothing; exit with 1 if a page is stale")
    check: bool = arguments.parse_args().check
    found = 0
    for name in PARTS:
        page = stale(ROOT, name)
        if page is not None:
            found += 1
            print(f"{PARTS[name][0]}: {'is stale; run python -m scripts.write_docs' if check else 'written'}")
            if not check:
                page[0].write_text(page[1], encoding="utf-8")
    return int(check and found > 0)


if __name__ == "__main__":
    sys.exit(main())
