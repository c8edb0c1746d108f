"""A runaway agent meets the gate: `make demo`.

Every answer makes the agent ask three more questions, one to a model of each tier, all at once, each with the whole
transcript so far. Its prompts are this repository's own documents, and the prices are the published ones. Only the
models are local: they answer with text from the same documents and report the tokens that they counted. The provider
keeps a bill of its own, and the caps are checked against that bill, not against the package's ledger.
"""

from __future__ import annotations

import asyncio
import os
import sys
import textwrap
import threading
from contextvars import ContextVar
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import genai_prices

from agent_airlock import (
    Airlock,
    AirlockConfig,
    AirlockContext,
    Budget,
    Cost,
    Event,
    EventKind,
    ModelTierBudget,
    SecurityPolicy,
    TierBudget,
    TokenUsage,
    get_global_tracker,
)

ROOT = Path(__file__).resolve().parent.parent
SESSION_CAP = Decimal("0.40")
MOST_CALLS = 18  # the agent would not stop; the demo does
PAGE = 6_000  # characters

MODELS = {
    "frontier": ("anthropic", "claude-opus-5-5"),
    "mid": ("openai", "gpt-6.1-sol"),
    "small": ("google", "gemini-3.5-flash-lite"),
}
TIERS = ModelTierBudget(
    tiers={
        "frontier": TierBudget(max_cost_cents=22, max_output_tokens=4000),
        "mid": TierBudget(max_cost_cents=12, max_output_tokens=2000),
        "small": TierBudget(max_cost_cents=2, max_output_tokens=1000),
    },
    strict_tier="small",
)


# --- the provider: it knows nothing of the gate --------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    text: str
    token_usage: TokenUsage


@dataclass(frozen=True)
class BillLine:
    model: str
    cents: Decimal


class Provider:
    """Answers with a page of the documents, and bills each call at the published price."""

    def __init__(self, pages: list[str]) -> None:
        self._pages = pages
        self._lock = threading.Lock()
        self.bill: list[BillLine] = []

    def answer(self, vendor: str, model: str, prompt: str, max_tokens: int) -> Answer:
        # Four bytes are a token. The prompt's length picks the page, which is cut at the output limit.
        page = self._pages[len(prompt) % len(self._pages)].encode()[: 4 * max_tokens]
        usage = TokenUsage(-(-len(prompt.encode()) // 4), -(-len(page) // 4))
        reported = genai_prices.Usage(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens)
        price = genai_prices.calc_price(reported, model_ref=model, provider_id=vendor)
        with self._lock:
            self.bill.append(BillLine(model, price.total_price * 100))
        return Answer(page.decode(errors="ignore"), usage)


def read_pages() -> list[str]:
    """The repository's documents, cut into pages."""
    files = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "CONTRIBUTING.md"]
    text = "\n".join(file.read_text(encoding="utf-8") for file in files if file.is_file()).strip() or str(__doc__)
    return [text[start : start + PAGE] for start in range(0, len(text), PAGE)]


# --- the agent, behind the gate ------------------------------------------------------------------------------


@dataclass
class Asked:
    """One call of the agent, and what became of it. Amounts are cents."""

    number: int
    round: int
    tier: str
    prompt: str
    worst: Decimal = Decimal(0)
    cost: Decimal | None = None
    answer: str = ""
    block: str = ""
    hints: str = ""


PAGES = read_pages()
PROVIDER = Provider(PAGES)
POLICY = SecurityPolicy(model_tier_budget=TIERS, budgets=[Budget("session:*", SESSION_CAP)])
_current: ContextVar[Asked] = ContextVar("current")


def listen(event: Event) -> None:
    """The gate tells a call's worst case when it holds it, and its real cost when it has settled it."""
    if event.kind is EventKind.ADMITTED:
        _current.get().worst = in_cents(event.fields["estimate_nano"])
    elif event.kind is EventKind.SETTLED:
        _current.get().cost = in_cents(event.fields["actual_nano"])


def in_cents(nano: object) -> Decimal:
    return Decimal(str(nano)).scaleb(-7)


# `cache_writes=False`: this provider has no cache that a prompt could be written to, at up to twice the price.
@Airlock(policy=POLICY, cost=Cost.model(cache_writes=False), config=AirlockConfig(on_event=listen))
async def ask(vendor: str, model: str, prompt: str, max_tokens: int) -> Answer:
    return await asyncio.to_thread(PROVIDER.answer, vendor, model, prompt, max_tokens)


async def call(asked: Asked) -> None:
    vendor, model = MODELS[asked.tier]
    limit = TIERS.cap_for(asked.tier).max_output_tokens or 0
    _current.set(asked)  # a task has a context of its own
    with AirlockContext(session_id="runaway", metadata={"airlock_tier": asked.tier, "model_id": model}):
        answer = await ask(vendor, model, asked.prompt, limit)
    if isinstance(answer, Answer):
        asked.answer = answer.text
    else:
        facts = answer["metadata"]
        asked.worst = Decimal(facts["estimated_cost_usd"]) * 100
        asked.block = f"session cap: {facts['refusal']['cause']}" if "refusal" in facts else "tier cap"
        asked.hints = " ".join(answer["fix_hints"])


async def run_away() -> list[Asked]:
    """Each answer makes the agent ask three more. A round's calls all run at the same time."""
    done: list[Asked] = []
    wave: list[Asked] = [Asked(1, 1, "frontier", f"Improve this page:\n{PAGES[0]}")]
    while wave:
        rounds = wave[0].round + 1
        await asyncio.gather(*map(call, wave))
        done += wave
        for asked, before in zip(wave, [None, *wave], strict=False):
            show(asked, before.hints if before else "")
        transcripts = [f"{asked.prompt}\n{asked.answer}" for asked in wave if asked.answer]
        wave = []
        for transcript in transcripts:
            for tier in TIERS.tiers:
                if len(done) + len(wave) < MOST_CALLS:
                    number = len(done) + len(wave) + 1
                    page = PAGES[number % len(PAGES)]
                    wave.append(Asked(number, rounds, tier, f"{transcript}\nImprove this page too:\n{page}"))
    return done


# --- the terminal --------------------------------------------------------------------------------------------

COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ


def paint(code: str, text: str) -> str:
    return f"\033[{code}m{text}\033[0m" if COLOUR else text


def show(asked: Asked, hints_before: str) -> None:
    model = MODELS[asked.tier][1]
    prompt = len(asked.prompt) / 1000
    start = f"{asked.number:>3} {asked.round:>6}  {asked.tier:<9} {model:<21} {prompt:>6.1f} {asked.worst:>9.3f}"
    if asked.cost is not None:
        print(f"{start} {asked.cost:>9.3f}  {paint('32', 'admitted')}")
    else:
        print(f"{start} {'-':>9}  {paint('31', 'BLOCKED')}  {asked.block}")
        if asked.hints != hints_before:
            print(paint("33", "       " + textwrap.shorten(f"hint: {asked.hints}", 150, placeholder=" …")))


def table(done: list[Asked], bill: list[BillLine]) -> None:
    """Spend by tier: held and booked as the package counted them, billed as the provider did."""
    spent = get_global_tracker().get_summary()
    print(f"\n{'tier':<14} {'ran':>4} {'blocked':>8} {'held':>9} {'booked':>9} {'billed':>9} {'dearest':>9} {'cap':>7}")
    for tier, cap in TIERS.tiers.items():
        asked = [one for one in done if one.tier == tier]
        lines = [line.cents for line in bill if line.model == MODELS[tier][1]]
        row(tier, asked, spent.by_tier.get(tier, Decimal(0)), lines, f"{cap.max_cost_cents} a call")
    row("session", done, spent.total_cost, [line.cents for line in bill], f"{SESSION_CAP * 100:.0f} in all")


def row(name: str, asked: list[Asked], booked: Decimal, billed: list[Decimal], cap: str) -> None:
    ran = [one for one in asked if not one.block]
    held = sum((one.worst for one in ran), Decimal(0))
    print(
        f"{name:<14} {len(ran):>4} {len(asked) - len(ran):>8} {held:>9.3f} {booked * 100:>9.3f} "
        f"{sum(billed, Decimal(0)):>9.3f} {max(billed, default=Decimal(0)):>9.3f}  {cap}"
    )


def broken(done: list[Asked], bill: list[BillLine]) -> list[str]:
    """What passed its cap, by the provider's bill."""
    problems: list[str] = []
    tier_of = {model: tier for tier, (_, model) in MODELS.items()}
    for line in bill:
        cap = TIERS.cap_for(tier_of[line.model]).max_cost_cents
        if cap is not None and line.cents > cap:
            problems.append(f"a call of {line.model} was billed {line.cents} cents; its tier allows {cap}")
    billed = sum((line.cents for line in bill), Decimal(0))
    if billed > SESSION_CAP * 100:
        problems.append(f"the session was billed {billed} cents; its cap is {SESSION_CAP * 100}")
    if len(bill) != sum(not asked.block for asked in done):
        problems.append(f"the provider billed {len(bill)} calls, which is not how many were admitted")
    booked = get_global_tracker().get_summary().total_cost * 100
    if abs(booked - billed) > len(bill) * Decimal("0.5e-7"):  # each call is booked in whole nanodollars
        problems.append(f"booked are {booked} cents, billed {billed}")
    return problems


def main() -> int:
    print(f"A runaway agent over {len(PAGES)} pages of this repository's documents. The calls of a round run at once.")
    print("Prompts are in thousands of characters, amounts in US cents: the worst case that is held, the real cost.\n")
    print(f"{'#':>3} {'round':>6}  {'tier':<9} {'model':<21} {'prompt':>6} {'worst':>9} {'real':>9}")
    done = asyncio.run(run_away())
    table(done, PROVIDER.bill)
    problems = broken(done, PROVIDER.bill)
    for problem in problems:
        print(paint("31", f"PASSED ITS CAP: {problem}"))
    if not problems:
        print(paint("32", f"By the provider's own bill of {len(PROVIDER.bill)} calls, nothing passed its cap."))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
