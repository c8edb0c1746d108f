"""What the documents have from the code is what the code says now, and every rule has a test that holds it."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import docs_invariants
from scripts.docs_invariants import Holder, holders, rules
from scripts.write_docs import PARTS, ROOT, renewed, stale


@pytest.mark.parametrize("name", PARTS)
def test_a_generated_part_is_what_the_code_says_now(name: str) -> None:
    assert stale(ROOT, name) is None, f"{PARTS[name][0]} is stale: python -m scripts.write_docs"


def test_a_part_that_says_something_else_is_stale_and_is_written_in_place() -> None:
    page = "# Page\n\n<!-- x: generated -->\nold\n<!-- x: end -->\n\nThe rest.\n"
    written = renewed(page, "x", "new\n")
    assert written == "# Page\n\n<!-- x: generated -->\n\nnew\n\n<!-- x: end -->\n\nThe rest.\n"
    assert renewed(written, "x", "new") == written


@pytest.mark.parametrize("page", ["", "<!-- x: generated -->", 2 * "<!-- x: generated --> <!-- x: end -->"])
def test_a_page_without_its_part_is_an_error(page: str) -> None:
    with pytest.raises(ValueError, match="x: generated"):
        renewed(page, "x", "new")


def test_there_are_thirteen_rules() -> None:
    assert sorted(rules(ROOT)) == list(range(1, 14))


def test_every_rule_has_a_test_and_no_test_names_a_rule_that_is_not_there() -> None:
    found = holders(ROOT)
    assert set(found) == set(rules(ROOT))


def test_a_rule_is_found_in_names_docstrings_files_and_scenarios(tmp_path: Path) -> None:
    tests = tmp_path / "tests"
    (tests / "scenarios").mkdir(parents=True)
    (tests / "scenarios" / "rule_4_held.txt").touch()
    (tests / "scenarios" / "clock.txt").touch()
    (tests / "test_money.py").write_text('"""Rule 8: all of it."""\ndef test_rule_8_once(): ...\n', encoding="utf-8")
    (tests / "test_gate.py").write_text(
        "async def test_rule_1_tasks_too(): ...\n"
        "def test_money_2_through_a_gate(): ...\n"
        'def test_both():\n    """Rules 1, 2 and 9: at once."""\n'
        'def test_none():\n    """The rule 5 of somebody else."""\n'
        "def helper_rule_6_is_no_test(): ...\n",
        encoding="utf-8",
    )
    both = Holder("tests/test_gate.py", "both")
    assert holders(tmp_path) == {
        1: [both, Holder("tests/test_gate.py", "tasks too")],
        2: [both, Holder("tests/test_gate.py", "through a gate")],
        4: [Holder("tests/scenarios/rule_4_held.txt", "")],
        8: [Holder("tests/test_money.py", "")],
        9: [both],
    }


def test_a_rule_without_a_test_says_so_on_the_page(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "rules.md").write_text("# Rules\n\n1. One\n   rule.\n2. Another.\n", encoding="utf-8")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_one.py").write_text("def test_rule_2_holds(): ...\n", encoding="utf-8")
    assert docs_invariants.part(tmp_path) == (
        "## Rule 1\n\nOne rule.\n\nNo test yet.\n\n## Rule 2\n\nAnother.\n\n- `tests/test_one.py`: holds"
    )
