"""What the name of an argument, of a field or of a key says of its texts: a path, a URL, or nothing."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from fnmatch import translate
from functools import lru_cache
from typing import Final

PATH: Final = 1
URL: Final = 2
"""Kinds of targets, as bits: a text may be declared as both."""

_LONGEST: Final = 128
_NAMES: Final = 4_096
_BETWEEN: Final = re.compile(r"\W+")
_HUMPS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})")


def _with_suffixes(words: str) -> tuple[str, ...]:
    """Each word, and every name that ends with it: ``path`` and ``*_path``."""
    return tuple(glob for word in words.split() for glob in (word, f"*_{word}"))


PATH_NAMES: Final = (
    *_with_suffixes(
        "path paths file files filename filenames file_name file_names filepath filepaths pathname pathnames "
        "dir dirs dirname dirnames dir_name dir_names directory directories folder folders"
    ),
    *("cwd", "workdir", "infile", "outfile", "logfile", "dst", "dest", "src"),
)
URL_NAMES: Final = (
    *_with_suffixes("url urls uri uris endpoint endpoints link links href hrefs webhook webhooks"),
    "baseurl",
)


class Names:
    """Which names declare a path, and which a URL.

    A name is compared as it is written and in lower snake case, without digits at its end: ``filePath``, ``File path``
    and ``file-path_2`` are ``file_path``. The usual names, :data:`PATH_NAMES` and :data:`URL_NAMES`:

    ====  ==========================================================================================================
    kind  names
    ====  ==========================================================================================================
    path  alone or at the end (``path``, ``config_path``): path, file, filename, file_name, filepath, pathname, dir,
          dirname, dir_name, directory, folder, and their plurals; alone: cwd, workdir, infile, outfile, logfile, src,
          dst, dest
    URL   alone or at the end (``url``, ``base_url``): url, uri, endpoint, link, href, webhook, and their plurals;
          alone: baseurl
    ====  ==========================================================================================================

    Not among them: ``source``, ``target``, ``root``, ``name``, ``host``, ``address``, which mean too much else.

    Args:
        paths, urls: globs of names, in place of the usual ones; ``(*PATH_NAMES, "source")`` adds one to them.
    """

    def __init__(self, paths: Iterable[str], urls: Iterable[str]) -> None:
        self._globs = ((PATH, _Globs(paths)), (URL, _Globs(urls)))
        self.kind_of = lru_cache(maxsize=_NAMES)(self._kind_of)
        """The kinds that a name declares, as bits; 0 for none."""

    def _kind_of(self, name: str) -> int:
        name = name[-_LONGEST:]
        snake = _BETWEEN.sub("_", _HUMPS.sub("_", name)).lower().rstrip("0123456789").rstrip("_")
        spellings = {name, name.lower(), snake}
        kinds = 0
        for kind, globs in self._globs:
            if any(map(globs.match, spellings)):
                kinds |= kind
        return kinds


class _Globs:
    """Globs of names. Names come with every call, as keys: most globs need no regular expression."""

    def __init__(self, globs: Iterable[str]) -> None:
        whole: set[str] = set()
        ends: list[str] = []
        others: list[re.Pattern[str]] = []
        for glob in globs:
            if _is_plain(glob):
                whole.add(glob)
            elif glob[0] == "*" and _is_plain(glob[1:]):
                ends.append(glob[1:])
            else:
                others.append(re.compile(translate(glob)))
        self._whole, self._ends, self._others = whole, tuple(ends), others

    def match(self, name: str) -> bool:
        return name in self._whole or name.endswith(self._ends) or any(glob.match(name) for glob in self._others)


def _is_plain(glob: str) -> bool:
    return not any(character in glob for character in "*?[")


@lru_cache(maxsize=64)
def _compiled(paths: tuple[str, ...], urls: tuple[str, ...]) -> Names:
    return Names(paths, urls)


def names_of(paths: Collection[str] | None, urls: Collection[str] | None) -> Names:
    """The names that a configuration gives, compiled once; None stands for the usual ones."""
    return _compiled(PATH_NAMES if paths is None else tuple(paths), URL_NAMES if urls is None else tuple(urls))
