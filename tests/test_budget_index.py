"""The index of budgets finds exactly those that apply, in the order in which they were given."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent_airlock import Budget
from agent_airlock.budget_index import BudgetIndex
from agent_airlock.scopes import KINDS

VALUES = ("a", "b", "-")
PARTS = st.dictionaries(st.sampled_from(KINDS), st.sampled_from(("*", *VALUES, "%2D")), max_size=3)
BUDGETS = PARTS.map(
    lambda parts: Budget("+".join(f"{kind}:{value}" for kind, value in parts.items()) or "global", "1 USD")
)
CALLS = st.fixed_dictionaries({kind: st.sampled_from((None, "a", "b", "-")) for kind in KINDS})


@given(st.lists(BUDGETS, max_size=12), CALLS)
def test_the_index_finds_what_a_look_at_each_budget_finds(budgets: list[Budget], values: dict[str, str | None]) -> None:
    applying = [budget for budget in budgets if all(part.matches(values[part.kind]) for part in budget.parts)]
    assert BudgetIndex(budgets).matching(values) == applying


def test_budgets_that_do_not_apply_are_not_looked_at() -> None:
    looked_at: list[str] = []

    class Watched(dict[str, str | None]):
        def __getitem__(self, kind: str) -> str | None:
            looked_at.append(kind)
            return super().__getitem__(kind)

    index = BudgetIndex([Budget(f"agent:b{number}+tool:x", "1 USD") for number in range(500)])
    assert index.matching(Watched(agent="a", tool="x")) == []
    assert len(looked_at) == 2
