"""A tree of files and links, and the corpus of paths into it (``tests/data/hostile_paths.txt``)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent_airlock.checks.filesystem import FilesystemPolicy

_CORPUS: Final = Path(__file__).parents[1] / "data" / "hostile_paths.txt"
_ESCAPE: Final = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([\\tnr]))")
_SHORT: Final = {"\\": "\\", "t": "\t", "n": "\n", "r": "\r"}

DENIED: Final = ("*.key", ".git", "private/plans")
PASS: Final = "pass"


@dataclass(frozen=True)
class Case:
    """One line of the corpus."""

    name: str
    verdict: str
    """``pass``, or the rule that blocks it under :func:`policy_of`."""
    text: str
    """With ``{root}``, ``{outside}`` and ``{z*N}`` (N times the letter), which :meth:`filled` fills in."""
    source: str

    def filled(self, tree: Tree) -> str:
        text = self.text.replace("{root}", str(tree.root)).replace("{outside}", str(tree.outside))
        return re.sub(r"\{z\*(\d+)\}", lambda match: "z" * int(match[1]), text)


@dataclass(frozen=True)
class Tree:
    """``root`` is what may be read; ``outside`` and ``roots`` (its name begins with that of the root) are not."""

    root: Path
    outside: Path
    alias: Path
    """A symlink to the root."""


def hostile_paths() -> list[Case]:
    """The corpus, line by line, its escapes read and its placeholders left."""
    cases: list[Case] = []
    for line in _CORPUS.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, verdict, text, source = line.split("\t")
            cases.append(Case(name, verdict, _ESCAPE.sub(_unescaped, text), source))
    return cases


def _unescaped(match: re.Match[str]) -> str:
    code = match[1] or match[2] or match[3]
    return chr(int(code, 16)) if code else _SHORT[match[4]]


def policy_of(tree: Tree) -> FilesystemPolicy:
    """The policy that the corpus' verdicts are of."""
    return FilesystemPolicy([tree.root], deny_patterns=DENIED, max_path_depth=8)


def make_tree(folder: Path) -> Tree:
    """Files, and links of every kind, in a folder of the test's own."""
    root, outside = folder / "root", folder / "outside"
    for place in (root / "sub" / "deep", root / "private", root / ".git", outside, folder / "roots"):
        place.mkdir(parents=True)
    for file in ("a.txt", "sub/b.txt", "sub/deep/c.txt", "site.key", "private/plans", "private/notes", ".git/config"):
        (root / file).write_text("inside")
    for file in (outside / "secret", folder / "roots" / "secret"):
        file.write_text("secret")
    links = {
        "link_in": "sub",
        "link_file": "a.txt",
        "link_out": "../outside",
        "link_absolute": str(outside),
        "link_home": str(root / "sub"),
        "link_chain": "link_out",
        "link_dangling": "nothing",
        "link_dangling_out": "../outside/nothing",
        "link_lost": "nothing/../a.txt",
        "link_loop": "link_loop",
        "link_to_loop": "link_loop/x",
        "link_key": "site.key",
        "sub/link_up": "..",
        "sub/deep/link_out": "../../../outside",
        "link_proc": "/proc/self/root",
        "link_cwd": "/proc/self/cwd",
    }
    for name, target in links.items():
        (root / name).symlink_to(target)
    (folder / "alias").symlink_to("root")
    return Tree(root, outside, folder / "alias")
