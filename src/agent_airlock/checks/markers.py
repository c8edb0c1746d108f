"""What an annotation says of a text: it is a path, or a URL. Type checkers and pydantic see the plain type."""

from __future__ import annotations


class FilePath:
    """A path of the file system: ``Annotated[str, FilePath]``, ``list[Annotated[str, FilePath()]]``.

    On anything but a text it means each text in it: ``Annotated[dict[str, str], FilePath]``.
    """

    __slots__ = ()


class Url:
    """A URL: ``Annotated[str, Url]``. As :class:`FilePath` otherwise."""

    __slots__ = ()
