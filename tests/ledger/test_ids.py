"""Ids: made by the caller before anything is sent, ordered by time, never met twice."""

from __future__ import annotations

import re
from functools import partial
from itertools import count, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_airlock.ledger.ids import IdMaker
from tests.ledger.crowd import at_once

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
NOW = 1_764_000_000_000


def _milliseconds(id: str) -> int:
    number = 0
    for letter in id[:10]:
        number = number * 32 + ALPHABET.index(letter)
    return number


@given(st.integers(0, 2**48 - 1))
def test_an_id_is_a_ulid_of_its_time(now_ms: int) -> None:
    id = IdMaker().make(now_ms)
    assert re.fullmatch(f"[0-7][{ALPHABET}]{{25}}", id)
    assert _milliseconds(id) == now_ms


@given(st.lists(st.integers(NOW - 5, NOW + 5), min_size=2))
def test_ids_only_rise_whatever_the_clock_does(clock: list[int]) -> None:
    """Rule 3 stands on it: an id that is older than the mark and has no row is forgotten, never new."""
    maker = IdMaker()
    ids = [maker.make(now) for now in clock]
    assert all(before < after for before, after in pairwise(ids))
    assert all(_milliseconds(id) >= now for id, now in zip(ids, clock, strict=True))


def test_an_id_is_not_older_than_the_ledgers_time_after_a_leap() -> None:
    maker = IdMaker()
    maker.make(NOW)
    assert _milliseconds(maker.make(NOW + 10**9)) == NOW + 10**9
    assert _milliseconds(maker.make(NOW)) == NOW + 10**9


def test_more_ids_in_one_millisecond_than_it_counts_go_on_in_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent_airlock.ledger.ids._COUNT_LIMIT", 1_000)
    maker = IdMaker()
    ids = [maker.make(NOW) for _ in range(2_500)]
    assert ids == sorted(set(ids))
    assert [_milliseconds(ids[n]) - NOW for n in (0, 999, 1_000, 1_999, 2_000)] == [0, 0, 1, 1, 2]


def test_ids_of_many_threads_are_unique_and_rise_in_each() -> None:
    maker = IdMaker()
    clock = count(NOW)

    def work(thread: int) -> list[str]:
        return [maker.make(next(clock) - thread % 2) for _ in range(300)]

    made = at_once([partial(work, thread) for thread in range(64)])
    assert all(ids == sorted(ids) for ids in made)
    assert len({id for ids in made for id in ids}) == 64 * 300


def test_two_makers_never_meet_in_the_same_millisecond() -> None:
    makers = [IdMaker() for _ in range(100)]
    assert len({maker.make(NOW) for maker in makers}) == 100
    assert len({maker.nonce for maker in makers}) == 100


def test_a_maker_that_is_renewed_is_another() -> None:
    maker = IdMaker()
    nonce, id = maker.nonce, maker.make(NOW)
    maker.renew()
    assert maker.nonce != nonce
    assert maker.make(NOW)[-12:] != id[-12:]
