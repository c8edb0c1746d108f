"""Opening a file below a folder, whatever happens between the check and the use."""

from __future__ import annotations

import errno
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent_airlock import beneath
from agent_airlock.beneath import open_beneath
from agent_airlock.checks.filesystem import FilesystemPolicy, check_path
from tests.checks.paths import Tree, make_tree

LINK_ERRORS = (errno.ELOOP, errno.ENOTDIR)


@pytest.fixture(params=["one call", "by steps"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each way there is to open a file: ``openat2``, and folder by folder."""
    if request.param == "by steps":
        monkeypatch.setattr(beneath, "_openat2", lambda: None)
    else:
        # Alone, so that a call that fails is not answered by the other way.
        monkeypatch.setattr(beneath, "_by_steps", openat2())
    way: str = request.param
    return way


def openat2() -> Callable[[int, str, int, int], int]:
    call = beneath._openat2()
    root = os.open("/", os.O_RDONLY)
    try:
        if call is not None:
            os.close(call(root, ".", os.O_RDONLY, 0))
            return call
    except OSError:
        pass
    finally:
        os.close(root)
    pytest.skip("this system has no openat2")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return make_tree(tmp_path.resolve())


def error_of(root: object, path: object, mode: str = "r") -> int | None:
    try:
        open_beneath(root, path, mode).close()  # type: ignore[call-overload]
    except OSError as error:
        return error.errno
    return None


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("path", ["a.txt", "sub/b.txt", "./sub//deep/./c.txt", "ROOT/a.txt", "ROOT//sub/b.txt"])
def test_a_file_below_the_root_is_opened(tree: Tree, path: str) -> None:
    with open_beneath(tree.root, path.replace("ROOT", str(tree.root))) as file:
        assert file.read() == "inside"


@pytest.mark.usefixtures("way")
def test_it_reads_and_writes_as_open_does(tree: Tree) -> None:
    with open_beneath(tree.root, "new.txt", "w", encoding="utf-16", newline="\r\n") as text:
        text.write("ä\n")
    with open_beneath(tree.root, Path("new.txt"), "rb", buffering=0) as raw:
        assert raw.read().decode("utf-16") == "ä\r\n"
    with open_beneath(str(tree.root), "a.txt", "a") as text:
        text.write("!")
    with open_beneath(tree.root, "a.txt", "r+b") as both:
        assert both.read() == b"inside!"
    with pytest.raises(FileExistsError):
        open_beneath(tree.root, "a.txt", "x")
    with open_beneath(tree.root, "a.txt", "w"):
        pass
    assert (tree.root / "a.txt").read_text() == ""


@pytest.mark.usefixtures("way")
def test_a_file_that_is_made_has_the_permissions_that_were_asked_for(tree: Tree) -> None:
    before = os.umask(0o022)
    try:
        open_beneath(tree.root, "plain", "w").close()
        open_beneath(tree.root, "private.txt", "w", permissions=0o600).close()
    finally:
        os.umask(before)
    assert (tree.root / "plain").stat().st_mode & 0o7777 == 0o644
    assert (tree.root / "private.txt").stat().st_mode & 0o7777 == 0o600


@pytest.mark.parametrize(
    "path",
    [
        *("link_in/b.txt", "link_file", "link_file/", "link_out/secret", "link_absolute/secret", "link_chain/secret"),
        *("link_dangling", "link_loop", "sub/link_up", "sub/deep/link_out/secret", "link_proc/etc/passwd"),
    ],
)
@pytest.mark.parametrize("mode", ["r", "w", "x"])
@pytest.mark.usefixtures("way")
def test_no_symlink_is_followed(tree: Tree, path: str, mode: str) -> None:
    assert error_of(tree.root, path, mode) in (*LINK_ERRORS, errno.EEXIST, errno.EISDIR)
    assert not (tree.root / "nothing").exists()
    assert (tree.outside / "secret").read_text() == "secret"


@pytest.mark.usefixtures("way")
def test_a_path_that_leads_out_by_its_text_is_refused(tree: Tree) -> None:
    paths = ["..", "../outside/secret", "sub/../a.txt", "sub/..", "/etc/passwd", f"{tree.outside}/secret"]
    paths += [f"{tree.root}s/secret", f"{tree.root}/../outside/secret", f"//{tree.root}/a.txt"]
    assert {path: error_of(tree.root, path) for path in paths} == dict.fromkeys(paths, errno.EXDEV)


@pytest.mark.usefixtures("way")
def test_errors_are_those_of_open(tree: Tree) -> None:
    assert error_of(tree.root, "missing") == errno.ENOENT
    assert error_of(tree.root, "missing/x", "w") == errno.ENOENT
    assert error_of(tree.root, "") == errno.ENOENT
    assert error_of(tree.root, "sub") == errno.EISDIR
    assert error_of(tree.root, tree.root) == errno.EISDIR
    assert error_of(tree.root, "a.txt/") == errno.ENOTDIR
    assert error_of(tree.root, "a.txt/x") == errno.ENOTDIR
    assert error_of(tree.root, "z" * 300) == errno.ENAMETOOLONG
    assert error_of(tree.root / "missing", "a.txt") == errno.ENOENT
    with pytest.raises(ValueError, match="null"):
        open_beneath(tree.root, "a.txt\0x")
    with pytest.raises(ValueError, match="mode"):
        open_beneath(tree.root, "a.txt", "q")


@pytest.mark.usefixtures("way")
def test_the_root_may_be_a_symlink_and_the_whole_disk(tree: Tree) -> None:
    with open_beneath(tree.alias, "a.txt") as file, open_beneath(tree.alias, tree.alias / "a.txt") as same:
        assert file.read() == same.read() == "inside"
    with open_beneath("/", tree.root / "a.txt") as file:
        assert file.read() == "inside"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists a process's descriptors in /proc")
@pytest.mark.usefixtures("way")
def test_no_descriptor_is_left_open(tree: Tree) -> None:
    open_beneath(tree.root, "a.txt").close()
    before = sorted(Path("/proc/self/fd").iterdir())
    for path in ("sub/deep/c.txt", "sub/deep/missing", "sub/missing/x", "sub/deep/link_out/secret", "sub", "../x"):
        error_of(tree.root, path)
    assert sorted(Path("/proc/self/fd").iterdir()) == before


# --- what changes meanwhile ----------------------------------------------------------------------------------


def swap(tree: Tree) -> None:
    """The folder ``sub`` becomes a link out, of the same name."""
    (tree.root / "sub").rename(tree.root / "aside")
    (tree.root / "sub").symlink_to("../outside")


def test_what_was_swapped_after_the_check_is_not_opened(tree: Tree, way: str) -> None:
    (tree.root / "sub" / "secret").write_text("inside")
    path = str(tree.root / "sub" / "secret")
    check_path(FilesystemPolicy([tree.root]), "read", "path", path)
    swap(tree)
    assert Path(path).read_text() == "secret"  # what a tool that trusts the check alone would read
    assert error_of(tree.root, path) in LINK_ERRORS


def test_a_folder_that_is_swapped_while_it_is_walked_leads_nowhere_else(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By single steps, the one way that gives others the time."""
    monkeypatch.setattr(beneath, "_openat2", lambda: None)
    (tree.root / "sub" / "secret").write_text("inside")
    open_, swapped = os.open, []

    def open_and_swap(path: Any, *args: Any, **kwargs: Any) -> int:
        descriptor = open_(path, *args, **kwargs)
        if path == "sub":
            swap(tree)
            swapped.append(path)
        return descriptor

    monkeypatch.setattr(beneath.os, "open", open_and_swap)
    monkeypatch.setattr(beneath.os, "supports_dir_fd", {open_and_swap})
    with open_beneath(tree.root, "sub/secret") as file:
        assert file.read() == "inside"
    assert swapped == ["sub"]


def test_a_race_with_a_swapper_never_reads_what_is_outside(tree: Tree, way: str) -> None:
    (tree.root / "sub" / "secret").write_text("inside")
    (tree.root / "link").symlink_to("../outside")
    done, swaps = threading.Event(), [0]

    def swap_on_and_on() -> None:
        sub, link, aside = (tree.root / name for name in ("sub", "link", "aside"))
        while not done.is_set():
            for old, new in ((sub, aside), (link, sub), (sub, link), (aside, sub)):
                old.rename(new)
            swaps[0] += 1

    swapper = threading.Thread(target=swap_on_and_on)
    swapper.start()
    read: set[str] = set()
    try:
        attempts = 0
        while attempts < 2_000 or swaps[0] < 50:
            attempts += 1
            try:
                with open_beneath(tree.root, "sub/secret") as file:
                    read.add(file.read())
            except OSError as error:
                if error.errno not in (*LINK_ERRORS, errno.ENOENT):
                    raise
    finally:
        done.set()
        swapper.join()
    assert read <= {"inside"}


@pytest.mark.parametrize("path", ["../outside/secret", "/etc/passwd"])
def test_the_kernel_itself_is_asked_to_stay_below(tree: Tree, path: str) -> None:
    call = openat2()
    root = os.open(tree.root, os.O_RDONLY)
    try:
        with pytest.raises(OSError, match=os.strerror(errno.EXDEV)):
            call(root, path, os.O_RDONLY, 0)
    finally:
        os.close(root)


# --- systems without it --------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EPERM])
def test_a_kernel_or_a_sandbox_without_the_call_is_walked_by_steps(
    tree: Tree, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(*args: object) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(beneath, "_openat2", lambda: refuse)
    with open_beneath(tree.root, "sub/b.txt") as file:
        assert file.read() == "inside"
    assert error_of(tree.root, "link_out/secret") in LINK_ERRORS


@pytest.mark.parametrize("machine", ["alpha", "mips64"])
def test_no_call_is_made_by_a_number_that_means_another_there(monkeypatch: pytest.MonkeyPatch, machine: str) -> None:
    find: Callable[[], Any] = beneath._openat2.__wrapped__
    monkeypatch.setattr(beneath.os, "uname", lambda: os.uname_result(("Linux", "host", "6.1", "1", machine)))
    assert find() is None


def test_a_system_that_cannot_do_it_says_so(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beneath.os, "supports_dir_fd", set())
    with pytest.raises(NotImplementedError, match="from a folder's descriptor"):
        open_beneath(tree.root, "a.txt")
