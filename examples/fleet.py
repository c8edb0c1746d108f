"""A fleet of agents on one ledger, one of them killed: `make demo-fleet`.

Four processes of eight threads each make calls of one cent against one session's cap of one dollar, all at once. They
share nothing but a SQLite file. One process is killed (SIGKILL) in the middle of its calls. The provider keeps a bill
of its own, a line as each call arrives, and the cap is checked against that bill, not against the package's ledger.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from agent_airlock import Airlock, AirlockContext, Budget, Cost, SecurityPolicy, open_ledger
from agent_airlock.ledger.commands import Balances, Check

WORKERS, THREADS, CALLS = 4, 8, 60  # 240 calls are asked for, and 100 fit
CENT = 10_000_000  # nanodollars
CAP = Budget("session:*", "1 USD")
LEASE_SECONDS = 6
POLICY = SecurityPolicy(budgets=[CAP], lease=LEASE_SECONDS)


# --- a worker: one of the fleet's processes -------------------------------------------------------------------


def work(ledger_url: str, bill: str) -> None:
    """Make `CALLS` calls on `THREADS` threads, and say of each how it ended."""
    provider = os.open(bill, os.O_WRONLY | os.O_APPEND)

    @Airlock(policy=POLICY, ledger=open_ledger(ledger_url), cost=Cost("0.01 USD"))
    def search(query: str) -> str:
        os.write(provider, b"1 cent\n")  # the provider bills what arrives, whatever becomes of the caller
        time.sleep(0.05)
        return f"all about {query}"

    turns = iter(range(CALLS))
    turn = threading.Lock()

    def agent() -> None:
        with AirlockContext(agent_id=f"worker-{os.getpid()}", session_id="night"):
            while True:
                with turn:
                    number = next(turns, None)
                if number is None:
                    return
                answer: Any = search(f"otter {number}")
                os.write(1, b"ran\n" if isinstance(answer, str) else f"{answer['block_reason']}\n".encode())

    agents = [threading.Thread(target=agent) for _ in range(THREADS)]
    for thread in agents:
        thread.start()
    for thread in agents:
        thread.join()


# --- the fleet ------------------------------------------------------------------------------------------------


def start(ledger_url: str, bill: Path) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "worker", ledger_url, str(bill)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def run_fleet(ledger_url: str, bill: Path) -> list[Counter[str]]:
    """How the calls of each worker ended, the killed one's first. It is killed when some of its calls have run."""
    fleet = [start(ledger_url, bill) for _ in range(WORKERS)]
    victim = fleet[0]
    assert victim.stdout is not None
    first = [victim.stdout.readline().strip() for _ in range(THREADS)]
    victim.send_signal(signal.SIGKILL)
    print(f"  worker {victim.pid} is killed while up to {THREADS} of its calls are on their way")
    outputs = [worker.communicate()[0] for worker in fleet]
    return [Counter[str]([*first, *outputs[0].split()]), *(Counter[str](output.split()) for output in outputs[1:])]


def balance(ledger_url: str) -> Any:
    return next(found for found in open_ledger(ledger_url).apply(Balances("session:night")))


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        bill, path = Path(folder) / "bill", Path(folder) / "budgets.db"
        bill.touch()
        url = f"sqlite:///{path}"
        asked = WORKERS * CALLS
        print(f"{WORKERS} processes × {THREADS} threads ask for {asked} calls of 1 cent; the session may spend 1 USD\n")
        endings = run_fleet(url, bill)
        for ended in endings:
            print(f"  {ended['ran']:>3} ran, {ended['budget_exceeded']:>3} blocked", "(killed)" * (ended is endings[0]))
        billed = len(bill.read_text().splitlines())
        open_now = balance(url)
        print(f"\nthe provider billed {billed} calls; the ledger has {open_now.settled // CENT} settled and", end=" ")
        print(f"{(open_now.held + open_now.presumed) // CENT} whose caller is gone")
        print("nobody knows whether those were billed: when their lease ends they are presumed spent, not given back")
        time.sleep(LEASE_SECONDS)
        final = balance(url)
        booked = (final.settled + final.presumed) // CENT
        print(f"after the lease: {final.settled // CENT} settled + {final.presumed // CENT} presumed = {booked} cents")
        report = open_ledger(url).apply(Check())
        print(f"check: {report.accounts} account, {report.reservations} reservations, {len(report.problems)} problems")
        problems = [
            problem
            for problem, found in (
                (f"{billed} cents were billed under a cap of 100", billed > 100),
                (f"{billed} cents were billed and {booked} are booked", booked < billed),
                (f"{booked} cents are booked under a cap of 100", booked > 100),
                (f"{final.held} is still held", final.held),
                (f"the totals are not the sum of the rows: {report.problems}", report.problems),
                (
                    f"blocked for {sum(endings, Counter[str]())}",
                    {*sum(endings, Counter[str]())} - {"ran", "budget_exceeded"},
                ),
            )
            if found
        ]
        for problem in problems:
            print(f"FAILED: {problem}", file=sys.stderr)
        if not problems:
            print(f"\nthe cap held: billed {billed} ≤ booked {booked} ≤ 100 cents, of {asked} asked for")
        return bool(problems)


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        work(*sys.argv[2:4])
    else:
        sys.exit(main())
