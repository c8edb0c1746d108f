"""No lock, transaction or connection is held while a call runs, and a closed flow asks nothing more.

a shipped gateway held row locks over the provider's call.
"""

from __future__ import annotations

import ast
from pathlib import Path
from textwrap import dedent

import agent_airlock
from agent_airlock.ledger import flow
from tests.ledger.flow_syntax import faults, flows

PACKAGE = Path(agent_airlock.__file__).parent


def test_no_flow_of_the_package_yields_while_something_is_open_or_after_generator_exit() -> None:
    found = [
        f"{path.relative_to(PACKAGE)}: {one.name}: line {fault}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for one in flows(ast.parse(path.read_text("utf-8")))
        for fault in faults(one)
    ]
    assert found == []


def test_the_packages_flows_are_found() -> None:
    assert "ask" in [one.name for one in flows(ast.parse(Path(flow.__file__).read_text("utf-8")))]


def test_each_thing_that_a_flow_may_not_do_is_seen() -> None:
    tree = ast.parse(
        dedent(
            """
            def inside_with() -> Flow[int]:
                with lock:
                    if True:
                        answer = yield book, command
                return answer

            def in_finally() -> flow.Flow[int]:
                try:
                    pass
                finally:
                    yield from ask(book, command)

            def after_exit() -> Flow[None]:
                try:
                    yield 1
                except (ValueError, GeneratorExit):
                    yield from ask(book, command)

            def after_everything() -> Flow[None]:
                try:
                    yield 1
                except BaseException:
                    yield from ask(book, command)
                    raise

            def after_bare() -> Flow[None]:
                try:
                    yield 1
                except ValueError:
                    pass
                except:
                    yield 2
            """
        )
    )
    assert {one.name: len(faults(one)) for one in flows(tree)} == {
        "inside_with": 1,
        "in_finally": 1,
        "after_exit": 1,
        "after_everything": 1,
        "after_bare": 1,
    }


def test_what_a_flow_may_do_is_not_seen_as_a_fault() -> None:
    tree = ast.parse(
        dedent(
            """
            def admit() -> Flow[int]:
                with lock:
                    def inner():
                        yield 1
                try:
                    answer = yield from ask(book, command)
                except GeneratorExit:
                    raise
                except BaseException:
                    yield from ask(book, command)
                    raise
                else:
                    yield from ask(book, command)
                finally:
                    note()
                return answer

            def not_a_flow() -> Iterator[int]:
                with lock:
                    yield 1
            """
        )
    )
    assert {one.name: faults(one) for one in flows(tree)} == {"admit": []}
