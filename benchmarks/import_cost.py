"""What ``from agent_airlock import Airlock`` costs a fresh process, beside pydantic's own import."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Iterator

from .timing import Figure

OURS = "from agent_airlock import Airlock"
BASE = "from pydantic import BaseModel, validate_call"
MEASURE = "import time; start = time.process_time(); {}; print(time.process_time() - start)"


def seconds(statement: str) -> float:
    code = MEASURE.format(statement)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(run.stdout)


def figures(rounds: int = 15) -> Iterator[Figure]:
    seconds(OURS)
    seconds(BASE)
    pairs = [(seconds(OURS), seconds(BASE)) for _ in range(rounds)]
    yield Figure(
        f"{OURS} ÷ {BASE.removeprefix('from ')}",
        statistics.median(ours for ours, _ in pairs) * 1e6,
        statistics.median(base for _, base in pairs) * 1e6,
        statistics.median(ours / base for ours, base in pairs),
        1.3,
    )
