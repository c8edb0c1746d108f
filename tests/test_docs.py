"""Every block of the documents runs and says what it says, every link leads somewhere. See tests/docs/runner.py."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs import runner
from tests.docs.runner import FENCE, blocks, run_block, run_console

ROOT = Path(__file__).resolve().parent.parent
FILES = [ROOT / name for name in ("README.md", "SECURITY.md", "CHANGELOG.md", "CONTRIBUTING.md")]
FILES += sorted((ROOT / "docs").rglob("*.md"))
LINK = re.compile(r"\]\((?!https?:)(?P<path>[^)#]*)(?:#(?P<anchor>[^)]*))?\)")


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


WITH_BLOCKS = [path for path in FILES if list(blocks(text_of(path), "python", "console"))]


@pytest.mark.parametrize("path", WITH_BLOCKS, ids=name_of)
def test_blocks_run_and_say_what_they_say(path: Path, tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", runner.__file__, str(path)],
        check=False,
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        timeout=110,
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_links_lead_somewhere(path: Path) -> None:
    prose = FENCE.sub("", text_of(path))
    for match in LINK.finditer(prose):
        target = (path.parent / match["path"]).resolve() if match["path"] else path
        assert target.exists(), f"{path.name} links to {match['path']}"
        if match["anchor"]:
            headings = re.findall(r"^#+ (.*)$", FENCE.sub("", text_of(target)), re.MULTILINE)
            anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert match["anchor"] in anchors, f"{path.name} links to {match[0]}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_fence_names_its_language(path: Path) -> None:
    for match in FENCE.finditer(text_of(path)):
        assert match["language"] in ("python", "text", "console", "toml"), f"{path.name}: {match[0][:60]}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_list_begins_after_an_empty_line(path: Path) -> None:
    """Without one, the pages that are built show it as a paragraph."""
    lines = FENCE.sub("", text_of(path)).splitlines()
    for before, line in itertools.pairwise(lines):
        begins = re.match(r"(- |1\. |\| )", line) and not re.match(r"\s*(- |\d+\. |\| |$|<!--)|\s", before)
        assert not begins, f"{path.name}: {line}"


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("1 + 1  # -> 3", "'2' is not '3'"),
        ("print('a')\n# -> b", "'a' is not 'b'"),
        ("x = 1  # -> 1", "'None' is not '1'"),
    ],
)
def test_a_wrong_arrow_is_found(code: str, problem: str) -> None:
    with pytest.raises(AssertionError, match=re.escape(problem)):
        run_block(code, {})


def test_a_right_arrow_is_held() -> None:
    assert run_block("x = [1]\nx  # -> [1]\nprint('é', x)  # -> é [1]\nprint(2)\n# -> 2", {}) == 3


def echo(words: list[str], environment: dict[str, str]) -> tuple[int, str]:
    """A command that ends with its first argument, and says the others."""
    return int(words[1]), "\n".join([*words[2:], *environment.values()]) + "\n"


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("$ airlock 0 yes\nno\n", "the output is\nyes"),
        ("$ airlock 0 yes or no\nyes\n", "the output is\nyes\nor\nno"),
        ("$ airlock 3\n", "exit code 3 is not 0"),
        ("$ airlock 3\n$ echo $?\n2\n", "exit code 3 is not 2"),
    ],
)
def test_a_command_that_says_something_else_is_found(code: str, problem: str) -> None:
    with pytest.raises(AssertionError, match=re.escape(problem)):
        run_console(code, echo)


def test_commands_that_say_what_they_say_are_counted_and_others_are_not_run() -> None:
    code = """\
$ pip install something
$ airlock 0 any  # no output here: none is compared
$ airlock 0 'a b' c d
a…
…
d
$ AIRLOCK_X=e airlock 2
e
$ echo $?
2
"""
    assert run_console(code, echo) == 3
