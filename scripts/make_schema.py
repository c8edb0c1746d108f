"""Write ``airlock.schema.json``, the schema of ``airlock.toml`` for editors: ``python scripts/make_schema.py``.

With ``--check`` it writes nothing, and fails where the committed one is out of date.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from agent_airlock.policy_tables import schema

TARGET = Path(__file__).resolve().parent.parent / "src" / "agent_airlock" / "airlock.schema.json"


def main(arguments: list[str]) -> int:
    text = json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"
    if "--check" in arguments:
        current = TARGET.read_text(encoding="utf-8") if TARGET.exists() else ""
        return 0 if current == text else print(f"{TARGET.name} is out of date: run scripts/make_schema.py") or 1
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
