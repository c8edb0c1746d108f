"""What no path may do, whatever it is: crash the check, or pass it and open what lies outside."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent_airlock.beneath import open_beneath
from agent_airlock.checks.filesystem import RULES, FilesystemPolicy, check_path
from agent_airlock.checks.path_text import fault, folded, is_plain, readings
from agent_airlock.exceptions import PathViolation
from tests.checks.paths import hostile_paths

NAMES = ("a", "b", "c")
TOKENS = (
    *(*NAMES, *NAMES, "..", ".", "", "~", "%2e%2e", "..%2f", "\uff0e\uff0e", "...", "x", "$HOME", "a:b"),
    *("root", "outside", "proc", "self", "\0", "A", "\\"),
)
PATTERNS = st.lists(st.text("ab*?[]!-/.é", min_size=1, max_size=8).filter(lambda glob: _is_glob(glob)), max_size=3)


def _is_glob(glob: str) -> bool:
    try:
        FilesystemPolicy([], deny_patterns=[glob])
    except ValueError:
        return False
    return True


def passes(policy: FilesystemPolicy, value: object) -> bool:
    try:
        check_path(policy, "read", "path", value)
    except PathViolation:
        return False
    return True


# --- it never crashes ----------------------------------------------------------------------------------------

ANY_TEXT = st.text(st.characters()) | st.lists(st.sampled_from(TOKENS)).map("/".join)
ANYTHING = ANY_TEXT | st.binary() | ANY_TEXT.map(Path) | st.from_type(type).flatmap(st.from_type) | st.integers()


@given(value=ANYTHING, below=st.booleans(), patterns=PATTERNS, allow_symlinks=st.booleans())
def test_nothing_escapes_the_check_but_a_block(
    value: object, below: bool, patterns: list[str], allow_symlinks: bool
) -> None:
    root = tempfile.gettempdir()
    if below and isinstance(value, str):
        value = f"{root}/{value}"
    passes(FilesystemPolicy([root], deny_patterns=patterns, allow_symlinks=allow_symlinks), value)


@given(text=st.text(st.sampled_from("%25uUcC0afAFeE8/.\\~$a\u2024")))
@example("%25" + "25" * 2_000)
@example("%" * 4_095)
@example("$" * 4_095)
@example("`" * 4_095)
@example("a:" * 2_000)
@example("1:11" * 1_000)
@example("." * 4_095)
@example(" " * 4_095)
@example("~1" * 2_000)
@example("%aa(" * 1_000)
def test_texts_that_repeat_themselves_are_read(text: str) -> None:
    rule = fault(text)
    assert rule is None or rule in RULES


# --- the quick look, and the readings ------------------------------------------------------------------------


@given(text=st.text("abcnuloprx.: /01_-\u00e4~%", max_size=20) | st.text(max_size=20))
@example("con")
@example("a/nul")
@example("aux.b")
@example("lpt1")
@example("a/com9.x")
@example("PRN .x")
@example("a./b")
@example("a//b")
@example("./a")
@example("a" * 256)
@example("٣:١")
def test_the_quick_look_says_yes_only_where_the_long_one_finds_nothing(text: str) -> None:
    if is_plain(text):
        assert fault(text) is None
        assert not any(name in ("", ".", "..") for name in text.removeprefix("/").split("/"))


@pytest.mark.parametrize(
    "case", [case for case in hostile_paths() if case.verdict == "pass"], ids=lambda case: case.name
)
def test_a_folded_text_stays_as_it_is_when_it_is_folded_again(case: object) -> None:
    text = getattr(case, "text", "")
    assert folded(folded(text)) == folded(text)


@given(text=st.text())
def test_every_case_of_a_text_folds_to_the_same(text: str) -> None:
    if text.upper().lower() == text.lower():
        assert folded(text.lower()) == folded(text.upper().lower())
    assert folded(text.casefold()) == folded(text)


@given(text=st.text("%2e5a", max_size=30))
def test_readings_get_shorter_and_end(text: str) -> None:
    lengths = [len(reading) for reading in readings(text)]
    assert len(lengths) <= 9
    assert lengths == sorted(set(lengths), reverse=True)


# --- what passes lies inside ---------------------------------------------------------------------------------

TARGETS = st.sampled_from(
    [
        *("a", "c", "b/c", "..", "../..", ".", "/", "a/../..", "../outside", "../../outside/secret", "../root/a"),
        *("ROOT", "ROOT/a", "OUTSIDE", "OUTSIDE/secret", "/proc/self/root", "/proc/self/cwd", "/dev/fd/0", "nothing"),
    ]
)
ENTRY = st.just("file") | st.just("folder") | TARGETS.map(lambda target: f"->{target}")
TREES = st.dictionaries(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3).map(tuple), ENTRY, max_size=8)
PATHS = st.lists(st.sampled_from((*NAMES, "x")), max_size=4).map("/".join) | st.lists(
    st.sampled_from(TOKENS), max_size=6
).map("/".join)
PREFIXES = st.sampled_from(
    ["", "", "ROOT", "ROOT/", "ALIAS/", "OUTSIDE/", "/", "/proc/self/cwd/", "/proc/self/rootROOT/"]
)


@contextlib.contextmanager
def planted(tree: dict[tuple[str, ...], str]) -> Iterator[tuple[str, str, str]]:
    """(root, a symlink to it, a folder beside it): the working directory is the root, while it lasts."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made).resolve()
        root, alias, outside = folder / "root", folder / "alias", folder / "outside"
        root.mkdir()
        outside.mkdir()
        (outside / "secret").write_text("secret")
        alias.symlink_to("root")
        for names, entry in sorted(tree.items()):
            place = root.joinpath(*names)
            # What stands above it may be a file by now, or a link that leads out: then there is no such entry.
            with contextlib.suppress(OSError, RuntimeError):
                if place.parent.resolve().is_relative_to(root):
                    _plant(place, entry.replace("ROOT", str(root)).replace("OUTSIDE", str(outside)))
        with contextlib.chdir(root):
            yield str(root), str(alias), str(outside)


def _plant(place: Path, entry: str) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if entry == "folder":
        place.mkdir()
    elif entry == "file":
        place.write_text("inside")
    else:
        place.symlink_to(entry.removeprefix("->"))


def opened(path: str, flags: int) -> str | None:
    """Where the kernel says that the file is which it opened; None where it opened none."""
    try:
        descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY, 0o600)
    except (OSError, ValueError):
        return None
    try:
        return str(Path(f"/proc/self/fd/{descriptor}").readlink())
    finally:
        os.close(descriptor)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what a descriptor is of")
@given(tree=TREES, prefix=PREFIXES, path=PATHS, allow_symlinks=st.booleans(), by_alias=st.booleans())
@example({("a",): "->../outside"}, "", "a/secret", True, False)
@example({("a",): "->b/c", ("b", "c"): "->../../outside"}, "ROOT/", "a/secret", True, False)
@example({("a",): "->/proc/self/root"}, "", "a/etc", True, True)
@example({("a",): "->nothing"}, "", "a", True, False)
@example({("a", "b"): "file"}, "ALIAS/", "a/b", False, True)
def test_what_passes_opens_nothing_outside_of_the_root(
    tree: dict[tuple[str, ...], str], prefix: str, path: str, allow_symlinks: bool, by_alias: bool
) -> None:
    with planted(tree) as (root, alias, outside):
        written = (prefix + path).replace("ROOT", root).replace("ALIAS", alias).replace("OUTSIDE", outside)
        policy = FilesystemPolicy([alias if by_alias else root], allow_symlinks=allow_symlinks)
        if not passes(policy, written):
            return
        for flags in (os.O_RDONLY, os.O_WRONLY | os.O_CREAT):
            found = opened(written, flags)
            assert found is None or f"{found}/".startswith(f"{root}/")


@given(tree=TREES, names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=4))
def test_what_opens_below_the_root_without_a_link_passes(tree: dict[tuple[str, ...], str], names: list[str]) -> None:
    with planted(tree) as (root, _, _):
        path = "/".join(names)
        try:
            open_beneath(root, path).close()
        except IsADirectoryError:
            pass
        except OSError:
            return
        assert passes(FilesystemPolicy([root]), path)
        assert passes(FilesystemPolicy([root]), f"{root}/{path}")
        assert passes(FilesystemPolicy([root], allow_symlinks=True), path)
