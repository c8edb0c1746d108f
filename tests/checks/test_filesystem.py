"""Which paths a call may name: the corpus, case by case, and what the policy's settings mean."""

from __future__ import annotations

import copy
import json
import os
import pickle
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

import pytest

from agent_airlock.checks import filesystem
from agent_airlock.checks.filesystem import RULES, FilesystemPolicy, check_path
from agent_airlock.exceptions import PathViolation
from tests.checks.paths import DENIED, PASS, Case, Tree, hostile_paths, make_tree, policy_of

CASES = hostile_paths()


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    return make_tree(tmp_path_factory.mktemp("tree"))


def verdict(policy: FilesystemPolicy, value: object) -> str:
    """The rule that blocks it, or ``pass``."""
    try:
        check_path(policy, "read", "path", value)
    except PathViolation as block:
        return block.rule
    return PASS


# --- the corpus ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_each_case_of_the_corpus_is_judged_as_it_says(case: Case, tree: Tree) -> None:
    assert verdict(policy_of(tree), case.filled(tree)) == case.verdict


@pytest.mark.parametrize("case", [case for case in CASES if "\ud800" not in case.text], ids=lambda case: case.name)
def test_a_path_is_judged_alike_as_text_and_as_bytes(case: Case, tree: Tree) -> None:
    raw = case.filled(tree).encode("utf-8", "surrogateescape")
    assert verdict(policy_of(tree), raw) == case.verdict


@pytest.mark.parametrize("case", [case for case in CASES if case.text], ids=lambda case: case.name)
def test_a_path_object_is_judged_as_the_text_that_it_opens(case: Case, tree: Tree) -> None:
    value = Path(case.filled(tree))
    assert verdict(policy_of(tree), value) == verdict(policy_of(tree), str(value))


def test_the_corpus_has_a_case_of_every_rule() -> None:
    assert {case.verdict for case in CASES} == {PASS, *RULES}


def test_every_case_of_the_corpus_has_a_name_of_its_own_and_a_source() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
    assert all(case.source for case in CASES)


@pytest.mark.parametrize("case", [case for case in CASES if case.verdict == PASS], ids=lambda case: case.name)
def test_following_symlinks_blocks_nothing_that_passes_without(case: Case, tree: Tree) -> None:
    policy = FilesystemPolicy([tree.root], deny_patterns=DENIED, max_path_depth=8, allow_symlinks=True)
    assert verdict(policy, case.filled(tree)) == PASS


# --- the block -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", [case for case in CASES if case.verdict != PASS], ids=lambda case: case.name)
def test_a_block_says_where_and_why_and_never_what(case: Case, tree: Tree) -> None:
    text = case.filled(tree) + "/mArKeR"
    with pytest.raises(PathViolation) as caught:
        check_path(policy_of(tree), "read", "paths.2", text)
    block = caught.value
    assert block.message.startswith("read: paths.2 ")
    assert block.to_block_metadata() == {"argument": "paths.2", "rule": block.rule}
    assert block.hints
    told = "".join([block.message, *block.hints, *traceback.format_exception(block)])
    assert "mArKeR" not in told
    assert block.__context__ is None


def test_a_block_names_the_folders_that_are_allowed(tree: Tree) -> None:
    with pytest.raises(PathViolation) as caught:
        check_path(policy_of(tree), "read", "path", "/etc/passwd")
    assert caught.value.hints == (f"Allowed folders: {tree.root}.",)


# --- what is a path ------------------------------------------------------------------------------------------


class _Raises:
    def __fspath__(self) -> str:
        raise KeyError("secret")


class _Answers:
    def __init__(self, path: Any) -> None:
        self.path = path

    def __fspath__(self) -> Any:
        return self.path


class _Disguised(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "a.txt"

    def startswith(self, *args: object) -> bool:
        return True


class _PretendsToBeText:
    __class__ = str  # type: ignore[assignment]


@pytest.mark.parametrize(
    "value",
    [
        *(3, 0, True, 1.5, [], ["a.txt"], {}, object(), bytearray(b"a.txt"), memoryview(b"a"), "", b""),
        *(_Raises(), _Answers(3), _Answers(""), _PretendsToBeText()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_no_path_is_blocked(value: object, tree: Tree) -> None:
    assert verdict(policy_of(tree), value) == "not_a_path"


def test_a_path_object_is_judged_by_what_it_opens(tree: Tree) -> None:
    policy = policy_of(tree)
    assert verdict(policy, _Answers(str(tree.root / "a.txt"))) == PASS
    assert verdict(policy, _Answers(os.fsencode(tree.root / "a.txt"))) == PASS
    assert verdict(policy, _Answers("/etc/passwd")) == "outside_roots"


def test_a_text_that_lies_about_itself_is_judged_by_its_characters(tree: Tree) -> None:
    assert verdict(policy_of(tree), _Disguised("/etc/passwd")) == "outside_roots"


# --- roots ---------------------------------------------------------------------------------------------------


def test_no_root_allows_no_path(tree: Tree) -> None:
    assert verdict(FilesystemPolicy([]), str(tree.root / "a.txt")) == "outside_roots"
    assert verdict(FilesystemPolicy([], allow_symlinks=True), str(tree.root / "a.txt")) == "outside_roots"


def test_each_of_several_roots_allows_what_is_in_it(tree: Tree) -> None:
    policy = FilesystemPolicy([tree.root / "sub", tree.outside])
    assert verdict(policy, tree.root / "sub" / "b.txt") == PASS
    assert verdict(policy, tree.outside / "secret") == PASS
    assert verdict(policy, tree.root / "a.txt") == "outside_roots"


def test_the_whole_disk_may_be_a_root(tree: Tree) -> None:
    policy = FilesystemPolicy(["/"])
    assert verdict(policy, tree.root / "a.txt") == PASS
    assert verdict(policy, tree.root / "link_file") == "symlink"
    assert verdict(policy, "//server/share") == "windows_path"


@pytest.mark.parametrize("allow_symlinks", [False, True])
def test_a_root_may_be_a_symlink_itself(tree: Tree, allow_symlinks: bool) -> None:
    policy = FilesystemPolicy([tree.alias], allow_symlinks=allow_symlinks)
    assert verdict(policy, tree.alias / "a.txt") == PASS
    assert verdict(policy, tree.root / "a.txt") == PASS
    assert verdict(policy, tree.alias / "link_out" / "secret") == "symlink"
    assert verdict(policy, tree.outside / "secret") == "outside_roots"


def test_a_way_into_the_root_through_a_link_beside_it_needs_links_to_be_followed(tree: Tree) -> None:
    assert verdict(FilesystemPolicy([tree.root]), tree.alias / "a.txt") == "outside_roots"
    assert verdict(FilesystemPolicy([tree.root], allow_symlinks=True), tree.alias / "a.txt") == PASS


@pytest.mark.parametrize("name", ["C:", "a$HOME", "~x", "nul", "dot.", "a b ", "%2e"])
def test_a_root_may_have_any_name(tmp_path: Path, name: str) -> None:
    root = tmp_path / name
    root.mkdir()
    policy = FilesystemPolicy([tmp_path, root, root / "inner"])
    assert verdict(policy, f"{root}/a.txt") == PASS
    assert verdict(policy, f"{root}//inner/./ä.txt") == PASS
    assert verdict(policy, f"{root}/inner/xx:y") == "stream"


def test_a_relative_path_is_taken_from_the_working_directory(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = policy_of(tree)
    monkeypatch.chdir(tree.root)
    assert [verdict(policy, path) for path in ("a.txt", "./sub/b.txt", ".", "", "link_out/secret")] == [
        *(PASS, PASS, PASS),
        "not_a_path",
        "symlink",
    ]
    monkeypatch.chdir(tree.alias)
    assert verdict(policy, "sub/b.txt") == PASS
    monkeypatch.chdir(tree.outside)
    assert verdict(policy, "secret") == "outside_roots"
    monkeypatch.chdir("/")
    assert verdict(FilesystemPolicy(["/"]), ".") == PASS
    assert verdict(policy, str(tree.root / "a.txt")[1:]) == PASS


def test_a_relative_path_is_blocked_where_there_is_no_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert verdict(FilesystemPolicy(["/"]), "a.txt") == "unresolvable"


def test_a_folder_that_cannot_be_looked_into_is_closed(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str) -> Any:
        raise PermissionError(path)

    monkeypatch.setattr(filesystem.os, "lstat", refuse)
    for allow_symlinks in (False, True):
        policy = FilesystemPolicy([tree.root], allow_symlinks=allow_symlinks)
        assert verdict(policy, tree.root / "a.txt") == "unresolvable"


# --- links that are followed ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("link_in/b.txt", PASS),
        ("link_file", PASS),
        ("link_home/b.txt", PASS),
        ("sub/link_up/sub/link_up/a.txt", PASS),
        ("link_dangling", PASS),
        ("link_dangling/below", PASS),
        ("link_out/secret", "symlink"),
        ("link_out", "symlink"),
        ("link_absolute/secret", "symlink"),
        ("link_chain/secret", "symlink"),
        ("link_dangling_out", "symlink"),
        ("sub/deep/link_out/secret", "symlink"),
        ("link_lost", "symlink"),
        ("link_loop", "symlink"),
        ("link_to_loop", "symlink"),
        ("link_file/x", "symlink"),
        ("link_key", "denied_pattern"),
        ("a.txt/x", "unresolvable"),
    ],
)
def test_what_links_lead_to_must_lie_inside(tree: Tree, path: str, expected: str) -> None:
    policy = FilesystemPolicy([tree.root], allow_symlinks=True, deny_patterns=DENIED)
    assert verdict(policy, tree.root / path) == expected


@pytest.mark.parametrize("link", ["link_proc", "link_cwd"])
def test_links_of_proc_are_not_followed_even_into_the_root(
    tree: Tree, link: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    policy = FilesystemPolicy([tree.root], allow_symlinks=True)
    into = f"{tree.root}/a.txt"
    assert verdict(policy, f"{tree.root}/{link}{into}") == "symlink"
    assert verdict(policy, f"/proc/self/root{into}") == "outside_roots"
    assert verdict(policy, f"/proc/{os.getpid()}/root{into}") == "outside_roots"


@pytest.mark.skipif(sys.platform != "linux", reason="it is Linux' /proc")
def test_a_link_of_proc_is_known_even_where_its_length_is_right() -> None:
    """A descriptor's says 64, whatever its text is (proc(5)): here that is right."""
    with tempfile.TemporaryDirectory() as made:
        root = Path(made).resolve()
        file = root / ("z" * (63 - len(str(root))))
        with file.open("w") as opened:
            link = Path(f"/proc/{os.getpid()}/fd/{opened.fileno()}")
            assert link.lstat().st_size == len(str(link.readlink())) == 64
            assert verdict(FilesystemPolicy([root], allow_symlinks=True), link) == "outside_roots"


def test_a_link_that_says_another_length_than_its_target_has_is_not_followed(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = FilesystemPolicy([tree.root], allow_symlinks=True)
    monkeypatch.setattr(filesystem.os, "readlink", lambda path: "./a.txt")
    assert verdict(policy, tree.root / "link_file") == "symlink"


def test_depth_is_that_of_the_place_that_links_lead_to(tree: Tree) -> None:
    policy = FilesystemPolicy([tree.root], allow_symlinks=True, max_path_depth=2)
    assert verdict(policy, tree.root / "link_in" / "new.txt") == PASS
    assert verdict(policy, tree.root / "link_in" / "deep" / "c.txt") == "too_deep"


def test_a_path_through_forty_links_is_followed_and_one_through_more_is_not(tmp_path: Path) -> None:
    (tmp_path / "0").touch()
    for number in range(1, 42):
        (tmp_path / str(number)).symlink_to(str(number - 1))
    policy = FilesystemPolicy([tmp_path.resolve()], allow_symlinks=True)
    assert verdict(policy, tmp_path.resolve() / "40") == PASS
    assert verdict(policy, tmp_path.resolve() / "41") == "symlink"


def test_links_that_multiply_end_soon(tmp_path: Path) -> None:
    root = tmp_path.resolve()
    for number in range(10):
        (root / str(number)).symlink_to("/".join([f"{number + 1}/.."] * 100))
    policy = FilesystemPolicy([root], allow_symlinks=True)
    assert verdict(policy, root / "0") == "symlink"


def test_a_block_tells_nothing_of_what_exists_outside(tree: Tree) -> None:
    policy = FilesystemPolicy([tree.root], allow_symlinks=True)
    outside = [tree.outside / "secret", tree.outside / "nothing", tree.outside / "secret" / "below"]
    assert {verdict(policy, path) for path in outside} == {"outside_roots"}
    assert {verdict(policy, tree.root / "link_out" / path.name) for path in outside} == {"symlink"}


# --- patterns ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "denied", "allowed"),
    [
        ("*.key", ["a.key", "A.KEY", "x/y/b.key", "b.key/c"], ["a.keys", "key"]),
        ("SECRET*", ["secret", "x/Secrets.txt"], ["no-secret"]),
        (".env", [".env", "x/.ENV", ".env/a"], [".envrc", "a.env"]),
        ("a/b", ["a/b", "A/b/c/d"], ["a", "a/bc", "x/a/b"]),
        ("a/*.txt", ["a/b.txt", "a/b/c.txt"], ["b.txt", "x/a/b.txt"]),
        ("**/a/b", ["a/b", "x/a/b", "x/y/a/b/c"], ["xa/b", "b"]),
        ("**/.env", [".env", "x/y/.env"], ["x.env"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b/c"], ["a/xb", "ab"]),
        ("a/**", ["a/b", "a/b/c"], ["a", "b"]),
        ("a/", ["a", "a/b"], ["ab"]),
        ("./a", ["a", "a/b"], ["ab"]),
        ("[ab]?", ["a1", "B2"], ["c1", "a"]),
        ("über*", ["Über uns", "U\u0308BER", "%C3%9Cber"], ["uber"]),
        ("strasse", ["Straße", "STRASSE"], ["strase"]),
    ],
)
def test_a_pattern_denies_what_it_matches_and_what_is_below(
    tmp_path: Path, pattern: str, denied: list[str], allowed: list[str]
) -> None:
    policy = FilesystemPolicy([tmp_path], deny_patterns=[pattern])
    assert {path: verdict(policy, tmp_path / path) for path in denied} == dict.fromkeys(denied, "denied_pattern")
    assert {path: verdict(policy, tmp_path / path) for path in allowed} == dict.fromkeys(allowed, PASS)


def test_patterns_are_of_what_is_below_the_root_and_not_of_its_own_name(tmp_path: Path) -> None:
    root = tmp_path / "secret"
    policy = FilesystemPolicy([root], deny_patterns=["secret"])
    assert verdict(policy, root) == PASS
    assert verdict(policy, root / "a.txt") == PASS
    assert verdict(policy, root / "secret") == "denied_pattern"


def test_a_root_in_a_root_is_no_way_round_a_pattern(tree: Tree) -> None:
    for outer in (tree.root, tree.alias):
        policy = FilesystemPolicy([outer, tree.root / "sub"], deny_patterns=["sub/*.txt"])
        assert verdict(policy, tree.root / "sub" / "b.txt") == "denied_pattern"
        assert verdict(policy, tree.root / "sub" / "deep") == PASS


def test_the_environment_decides_what_is_a_variable(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    assert verdict(policy_of(tree), f"{tree.root}/a$inner.class") == PASS
    monkeypatch.setenv("inner", "/../../outside")
    assert verdict(policy_of(tree), f"{tree.root}/a$inner.class") == "expansion"


# --- settings ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"allowed_roots": "/srv"}, TypeError, "FilesystemPolicy.allowed_roots must be a list, not '/srv'"),
        ({"allowed_roots": Path("/srv")}, TypeError, "FilesystemPolicy.allowed_roots must be a list, not PosixPath"),
        ({"allowed_roots": None}, TypeError, "FilesystemPolicy.allowed_roots must be a list, not None"),
        ({"allowed_roots": [b"/srv"]}, TypeError, "FilesystemPolicy.allowed_roots must hold texts"),
        ({"allowed_roots": [3]}, TypeError, "FilesystemPolicy.allowed_roots must hold texts"),
        ({"allowed_roots": [""]}, ValueError, "FilesystemPolicy.allowed_roots must hold paths written out"),
        ({"allowed_roots": ["~/data"]}, ValueError, "FilesystemPolicy.allowed_roots must hold paths written out"),
        ({"allowed_roots": ["/a\0"]}, ValueError, "FilesystemPolicy.allowed_roots must hold paths written out"),
        ({"allow_symlinks": "yes"}, TypeError, "FilesystemPolicy.allow_symlinks must be True or False, not 'yes'"),
        ({"deny_patterns": "*.key"}, TypeError, "FilesystemPolicy.deny_patterns must be a list, not '*.key'"),
        ({"deny_patterns": [b"x"]}, TypeError, "FilesystemPolicy.deny_patterns must hold texts, not b'x'"),
        ({"deny_patterns": [""]}, ValueError, "FilesystemPolicy.deny_patterns must hold globs"),
        ({"deny_patterns": ["/etc/*"]}, ValueError, "FilesystemPolicy.deny_patterns must hold globs"),
        ({"deny_patterns": ["../x"]}, ValueError, "FilesystemPolicy.deny_patterns must hold globs"),
        ({"max_path_depth": 0}, ValueError, "FilesystemPolicy.max_path_depth must be a whole number from 1 to 4,095"),
        ({"max_path_depth": True}, ValueError, "FilesystemPolicy.max_path_depth must be a whole number from 1 to"),
        ({"max_path_depth": 2.0}, ValueError, "FilesystemPolicy.max_path_depth must be a whole number from 1 to"),
        ({"mode": "off"}, ValueError, "FilesystemPolicy.mode must be 'enforce' or 'observe', not 'off'"),
    ],
)
def test_wrong_settings_are_refused_by_name(changes: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error) as caught:
        FilesystemPolicy(**{"allowed_roots": ["/srv"], **changes})
    assert str(caught.value).startswith(said)


def test_windows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filesystem.os, "name", "nt")
    with pytest.raises(NotImplementedError, match="POSIX"):
        FilesystemPolicy([])


def test_roots_are_kept_as_absolute_texts(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree.root)
    made = FilesystemPolicy(["sub/", ".", Path("/srv//x/"), "//srv", "/", "link_out/.."])
    parent = tree.outside.resolve().parent
    assert made.allowed_roots == (f"{tree.root}/sub", str(tree.root), "/srv/x", "/srv", "/", str(parent))


def test_a_policy_keeps_what_it_was_given_when_its_lists_change(tree: Tree) -> None:
    roots, patterns = [str(tree.root)], ["*.key"]
    policy = FilesystemPolicy(roots, deny_patterns=patterns)
    roots.append("/")
    patterns.clear()
    assert policy == FilesystemPolicy([tree.root], deny_patterns=["*.key"])
    assert FilesystemPolicy(iter([tree.root])).allowed_roots == (str(tree.root),)  # type: ignore[arg-type]


def test_the_canonical_form_is_the_same_for_every_way_to_write_it() -> None:
    one = FilesystemPolicy(["/b", Path("/a")], deny_patterns=["*.KEY", "x/"])
    other = FilesystemPolicy(["/a/", "/b/.", "/a"], deny_patterns=("x", "*.key", "*.key"))
    assert one.canonical() == other.canonical()
    assert json.loads(json.dumps(one.canonical())) == {
        "allowed_roots": ["/a", "/b"],
        "allow_symlinks": False,
        "deny_patterns": ["*.key", "x"],
        "max_path_depth": 64,
        "mode": "enforce",
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"allowed_roots": ["/srv", "/b"]},
        {"allow_symlinks": True},
        {"deny_patterns": ["x"]},
        {"max_path_depth": None},
        {"mode": "observe"},
    ],
)
def test_every_setting_is_in_the_canonical_form(changes: dict[str, Any]) -> None:
    plain = FilesystemPolicy(["/srv"])
    assert FilesystemPolicy(**{"allowed_roots": ["/srv"], **changes}).canonical() != plain.canonical()


def test_a_policy_is_copied_and_pickled_whole(tree: Tree) -> None:
    policy = policy_of(tree)
    for other in (pickle.loads(pickle.dumps(policy)), copy.deepcopy(policy), copy.copy(policy)):
        assert other == policy
        assert verdict(other, tree.root / "site.key") == "denied_pattern"
    assert len({policy, policy_of(tree)}) == 1


def test_depth_is_counted_from_the_nearest_root(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = FilesystemPolicy([tree.root, tree.root / "sub"], max_path_depth=1)
    assert verdict(policy, tree.root / "sub" / "b.txt") == PASS
    assert verdict(policy, tree.root / "sub" / "deep" / "c.txt") == "too_deep"
    assert verdict(policy, tree.root / "private" / "plans") == "too_deep"
    monkeypatch.chdir(tree.root / "private")
    assert verdict(policy, ".") == PASS


def test_a_path_of_many_short_names_may_be_too_long(tree: Tree) -> None:
    policy = FilesystemPolicy([tree.root], max_path_depth=None)
    assert verdict(policy, f"{tree.root}/{'z/' * 2_048}z") == "too_long"


def test_no_depth_is_no_limit(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d"] * 100)
    assert verdict(FilesystemPolicy([tmp_path]), deep) == "too_deep"
    assert verdict(FilesystemPolicy([tmp_path], max_path_depth=None), deep) == PASS
