"""The demo judges by the provider's bill: one line over a cap, and it fails."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from types import ModuleType

import pytest

DEMO = Path(__file__).resolve().parent.parent / "examples" / "runaway_agent.py"


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The demo as a module, after no call."""
    spec = importlib.util.spec_from_file_location("runaway_agent", DEMO)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "runaway_agent", module)
    spec.loader.exec_module(module)
    return module


def test_it_admits_blocks_and_says_that_nothing_passed_its_cap() -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", str(DEMO)], check=False, capture_output=True, text=True, timeout=45
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "admitted" in run.stdout
    assert "BLOCKED  session cap" in run.stdout
    assert "nothing passed its cap" in run.stdout
    assert "\033" not in run.stdout
    assert len(run.stdout.splitlines()) <= 40


def test_a_call_billed_above_its_tier_is_a_failure(demo: ModuleType) -> None:
    (problem, *_) = demo.broken([], [demo.BillLine("claude-opus-5-5", Decimal("22.0001"))])
    assert "billed 22.0001 cents; its tier allows 22" in problem


def test_a_session_billed_above_its_cap_is_a_failure(demo: ModuleType) -> None:
    bill = [demo.BillLine("gpt-6.1-sol", Decimal("9.9"))] * 5
    assert any("the session was billed 49.5 cents" in problem for problem in demo.broken([], bill))


def test_a_call_that_was_not_admitted_and_is_billed_is_a_failure(demo: ModuleType) -> None:
    bill = [demo.BillLine("gpt-6.1-sol", Decimal(0))]
    assert any("which is not how many were admitted" in problem for problem in demo.broken([], bill))


def test_an_answer_is_never_longer_than_its_limit(demo: ModuleType) -> None:
    provider = demo.Provider(["é" * 10_000])
    assert provider.answer("openai", "gpt-6.1-sol", "hello", 7).token_usage.output_tokens == 7
