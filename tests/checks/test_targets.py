"""Which arguments are paths and which are URLs: by annotation, by name, by type, and however deep they stand."""

from __future__ import annotations

import enum
import io
import os
import tempfile
import uuid
from collections import OrderedDict, deque, namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path, PurePosixPath
from types import MappingProxyType, SimpleNamespace
from typing import Annotated, Any, Final, Generic, Literal, NamedTuple, NewType, NotRequired, TypeVar
from urllib.parse import urlparse, urlsplit

import pytest
from pydantic import AnyUrl, BaseModel, ConfigDict, Field, HttpUrl, RootModel, SecretStr, TypeAdapter
from pydantic.dataclasses import dataclass as pydantic_dataclass
from typing_extensions import TypeAliasType, TypedDict, Unpack

from agent_airlock import AirlockContext, ValidationBlocked
from agent_airlock.checks.annotations import Annotations
from agent_airlock.checks.markers import FilePath, Url
from agent_airlock.checks.names import PATH_NAMES, URL_NAMES, names_of
from agent_airlock.checks.targets import MAX_DEPTH, MAX_VALUES, Targets

PATH: Final = 1
URL: Final = 2


def found(function: Callable[..., Any], **arguments: Any) -> tuple[dict[str, object], dict[str, object]]:
    """Place → value: the paths, and the URLs."""
    paths, urls = Targets(function).of(arguments)
    assert len(dict(paths)) == len(paths), "a place is told twice"
    assert len(dict(urls)) == len(urls), "a place is told twice"
    return dict(paths), dict(urls)


# --- names -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        *("path", "paths", "file", "files", "filename", "file_name", "filepath", "file_path", "dir", "directory"),
        *("folder", "config_path", "output_file", "base_dir", "upload_folder", "cwd", "src", "dst", "dest"),
        *(
            "Path",
            "filePath",
            "file-path",
            "FILE_PATH",
            "outputDir",
            "fileName",
            "path2",
            "file_1",
            "_path",
            "HTMLFile",
        ),
    ],
)
def test_the_usual_names_of_paths(name: str) -> None:
    assert names_of(None, None).kind_of(name) == PATH


@pytest.mark.parametrize(
    "name",
    [
        *("url", "urls", "uri", "endpoint", "link", "href", "webhook", "base_url", "image_uris", "api_endpoint"),
        *("URL", "baseUrl", "baseurl", "imageURL", "imageURLs", "callback-url", "url_2", "WebhookUrl"),
    ],
)
def test_the_usual_names_of_urls(name: str) -> None:
    assert names_of(None, None).kind_of(name) == URL


@pytest.mark.parametrize(
    "name",
    [
        *("profile", "xpath", "source", "target", "root", "name", "host", "curl", "linked", "pathology", "query"),
        *("filed", "image_src", "urlencode", "path_id", "links_count", "", "_", "42", "…"),
    ],
)
def test_other_names_declare_nothing(name: str) -> None:
    assert names_of(None, None).kind_of(name) == 0


def test_names_that_are_given_replace_the_usual_ones() -> None:
    names = names_of(("source", "*_in"), ())
    assert [names.kind_of(name) for name in ("source", "file_in", "fileIn", "path", "url")] == [PATH, PATH, PATH, 0, 0]


def test_names_that_are_given_are_globs_and_may_build_on_the_usual_ones() -> None:
    names = names_of((*PATH_NAMES, "s?urce", "in[0-9]x"), (*URL_NAMES, "host"))
    assert [names.kind_of(name) for name in ("path", "source", "in7x", "url", "host")] == [PATH, PATH, PATH, URL, URL]


def test_a_name_may_declare_both() -> None:
    def fetch(location: str) -> None: ...

    targets = Targets(fetch, path_names=["location"], url_names=["location"])
    assert targets.of({"location": "x"}) == ([("location", "x")], [("location", "x")])


def test_an_endless_name_is_judged_by_its_end() -> None:
    assert names_of(None, None).kind_of("x" * 100_000 + "_url") == URL


# --- parameters ------------------------------------------------------------------------------------------------


def test_texts_are_declared_by_the_names_of_their_parameters() -> None:
    def fetch(url: str, path: str | None, count: int, note: str) -> None: ...

    paths, urls = found(fetch, url="https://a", path="a/b", count=3, note="c")
    assert (paths, urls) == ({"path": "a/b"}, {"url": "https://a"})


def test_none_is_left_out_and_so_are_arguments_that_are_not_there() -> None:
    def read(path: str | None = None, file: str | None = None) -> None: ...

    assert found(read, path=None) == ({}, {})


@pytest.mark.parametrize("value", [b"a/b", Path("a/b"), PurePosixPath("a/b"), os.fsencode("a/b")])
def test_bytes_and_path_likes_are_paths_too(value: Any) -> None:
    def read(path: Any) -> None: ...

    assert found(read, path=value) == ({"path": value}, {})


@pytest.mark.parametrize(
    "value", [2.5, True, io.StringIO("text"), object(), date(2026, 1, 1), range(3), bytearray(b"a")]
)
def test_what_is_no_text_is_no_path_whatever_its_name(value: Any) -> None:
    def read(file: Any) -> None: ...

    assert found(read, file=value) == ({}, {})


def test_an_open_file_is_no_path() -> None:
    def read(file: Any) -> None: ...

    with tempfile.NamedTemporaryFile() as opened, Path(opened.name).open() as again:
        assert found(read, file=opened) == found(read, file=again) == ({}, {})


def test_a_path_like_is_a_path_under_any_name() -> None:
    def read(config: Path, where: Any, url: Any) -> None: ...

    assert found(read, config=Path("a"), where=[Path("b")], url=Path("c")) == (
        {"config": Path("a"), "where.0": Path("b"), "url": Path("c")},
        {},
    )


def test_a_url_of_pydantic_or_urllib_is_a_url_under_any_name() -> None:
    def fetch(target: HttpUrl, path: AnyUrl, parsed: Any, split: Any) -> None: ...

    target, path = HttpUrl("https://a.b"), AnyUrl("https://c.d/e")
    arguments = {"target": target, "path": path, "parsed": urlparse("https://e/f"), "split": urlsplit("https://g")}
    assert found(fetch, **arguments) == (
        {},
        {"target": target, "path": path, "parsed": "https://e/f", "split": "https://g"},
    )


def test_a_text_enum_is_a_text() -> None:
    class Place(enum.StrEnum):
        HOME = "home"

    def read(path: Place, other: Place) -> None: ...

    assert found(read, path=Place.HOME, other=Place.HOME) == ({"path": "home"}, {})


def test_a_secret_text_is_looked_at() -> None:
    def call(webhook: SecretStr) -> None: ...

    assert found(call, webhook=SecretStr("https://a")) == ({}, {"webhook": "https://a"})


def test_a_method_says_nothing_of_itself() -> None:
    @dataclass
    class Tools:
        base_path: str

        def read(self, path: str) -> None: ...

    assert found(Tools.read, self=Tools("/srv"), path="a") == ({"path": "a"}, {})


def test_a_context_is_not_looked_into() -> None:
    @dataclass
    class Mine:
        url: str = "http://localhost"

    def fetch(context: AirlockContext[Any], other: Any) -> None: ...

    context: AirlockContext[Any] = AirlockContext(user_context=Mine(), metadata={"url": "http://localhost"})
    assert found(fetch, context=context, other=[context]) == ({}, {})


# --- markers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("marker", [FilePath, FilePath()])
def test_a_marker_declares_whatever_the_name_is(marker: Any) -> None:
    def read(source: Annotated[str, marker], url: Annotated[str, marker], *, b: Annotated[bytes, marker]) -> None: ...

    read.__annotations__ = dict.fromkeys(("source", "url"), Annotated[str, marker]) | {"b": Annotated[bytes, marker]}
    assert found(read, source="a", url="https://b", b=b"c") == ({"source": "a", "url": "https://b", "b": b"c"}, {})


def test_pydantic_and_the_types_ignore_the_markers() -> None:
    class Model(BaseModel):
        a: Annotated[str, Url]
        b: list[Annotated[str, FilePath()]] = []

    assert Model(a="x", b=["y"]).model_dump() == {"a": "x", "b": ["y"]}
    assert TypeAdapter(Annotated[str, Url]).json_schema() == {"type": "string"}


S = TypeVar("S")
B = TypeVar("B", bound=Annotated[str, FilePath])
Place = NewType("Place", Annotated[str, FilePath])  # type: ignore[valid-newtype]
Places = TypeAliasType("Places", "list[Annotated[str, FilePath]]")
Many = TypeAliasType("Many", dict[str, S], type_params=(S,))
Tree = TypeAliasType("Tree", "Annotated[str, Url] | list[Tree]")
Nest = TypeAliasType("Nest", "S | list[Nest[S]]", type_params=(S,))


@pytest.mark.parametrize(
    ("hint", "value", "places"),
    [
        (list[Annotated[str, FilePath]], ["a", "b"], ["x.0", "x.1"]),
        (list[Annotated[str, FilePath]] | None, ["a"], ["x.0"]),
        (set[Annotated[str, FilePath]], {"a"}, ["x.0"]),
        (frozenset[Annotated[str, FilePath]], frozenset("a"), ["x.0"]),
        (Sequence[Annotated[str, FilePath]], deque("a"), ["x.0"]),
        (tuple[Annotated[str, FilePath], ...], ("a", "b"), ["x.0", "x.1"]),
        (tuple[Annotated[str, FilePath], str], ("a", "b"), ["x.0"]),
        (list[tuple[int, Annotated[str, FilePath]]], [(1, "a"), (2, "b")], ["x.0.1", "x.1.1"]),
        (dict[str, Annotated[str, FilePath]], {"k": "a"}, ["x.k"]),
        (Mapping[str, list[Annotated[str, FilePath]]], {"k": ["a"]}, ["x.k.0"]),
        (dict[Annotated[str, FilePath], str], {"k": "a"}, ["x.…"]),
        (dict[Annotated[str, FilePath], int], {"k": 1}, ["x.…"]),
        (Annotated[str, Field(min_length=1), FilePath], "a", ["x"]),
        (Annotated[str | None, FilePath], "a", ["x"]),
        (Annotated[str, FilePath] | int, "a", ["x"]),
        (Annotated[list[str], FilePath], ["a", "b"], ["x.0", "x.1"]),
        (Annotated[dict[str, Any], FilePath], {"k": {"l": ["a"]}}, ["x.k.l.0"]),
        (Annotated[Any, FilePath], ["a"], ["x.0"]),
        (list[Any], [["a"], {"path": "b"}, Path("c")], ["x.1.path", "x.2"]),
        (Place, "a", ["x"]),
        (Places, ["a"], ["x.0"]),
        (Many[Annotated[str, FilePath]], {"k": "a"}, ["x.k"]),
        (Nest[Annotated[str, FilePath]], [["a"], "b"], ["x.0.0", "x.1"]),
        (B, "a", ["x"]),
        (Literal["a"], "a", []),
        (Annotated[int, FilePath], 3, ["x"]),
        (Annotated[str, "a note"], "a", []),
    ],
)
def test_a_marker_is_found_in_every_type(hint: Any, value: Any, places: list[str]) -> None:
    def read(x: Any) -> None: ...

    read.__annotations__ = {"x": hint}
    assert list(found(read, x=value)[0]) == places


def test_types_that_refer_to_themselves_are_followed() -> None:
    def fetch(x: Any) -> None: ...

    fetch.__annotations__ = {"x": Tree}
    assert list(found(fetch, x=["a", ["b", ["c"]]])[1]) == ["x.0", "x.1.0", "x.1.1.0"]


def test_a_marker_of_a_text_does_not_reach_into_what_may_stand_in_its_stead() -> None:
    def read(x: Annotated[str, FilePath] | dict[str, Any]) -> None: ...

    assert found(read, x={"note": "a"}) == ({}, {})


def test_a_marker_beats_the_names_around_it() -> None:
    def fetch(paths: list[Annotated[str, Url]], options: dict[str, Annotated[str, FilePath]]) -> None: ...

    assert found(fetch, paths=["a"], options={"url": "b"}) == ({"options.url": "b"}, {"paths.0": "a"})


def test_the_nearest_name_decides() -> None:
    def read(files: Any) -> None: ...

    assert found(read, files=["a", {"k": "b", "link": "c"}]) == (
        {"files.0": "a", "files.1.k": "b"},
        {"files.1.link": "c"},
    )


# --- what arguments are made of --------------------------------------------------------------------------------


@dataclass
class Options:
    path: str
    where: Annotated[str, Url]
    note: str = "note"
    sizes: list[float] = field(default_factory=list)
    more: Any = None


class Point(NamedTuple):
    file: str
    where: Annotated[str, Url]
    note: str


class Wanted(TypedDict):
    where: Annotated[str, Url]
    folder: NotRequired[str]
    note: str


class Request(BaseModel):
    model_config = ConfigDict(extra="allow")
    path: str
    where: Annotated[str, Url]
    location: str = Field(default="l", alias="fileLocationPath")
    inner: Options | None = None


@pydantic_dataclass(config=ConfigDict(extra="allow"))
class Sent:
    path: str
    where: Annotated[str, Url]


class AttrsLike:
    """What attrs makes of ``path: str`` and ``where: Annotated[str, Url]``."""

    __attrs_attrs__ = (SimpleNamespace(name="path"), SimpleNamespace(name="where"))
    path: str
    where: Annotated[str, Url]

    def __init__(self, path: str, where: str) -> None:
        self.path, self.where = path, where


class StructLike(AttrsLike):
    """What msgspec makes of the same."""

    __slots__ = ()
    __struct_fields__ = ("path", "where")


@pytest.mark.parametrize("make", [Options, Sent, AttrsLike, StructLike])
def test_fields_are_found_by_name_and_by_marker(make: Any) -> None:
    def read(x: Any) -> None: ...

    assert found(read, x=[make(path="a", where="b")]) == ({"x.0.path": "a"}, {"x.0.where": "b"})


def test_fields_of_named_tuples_are_found() -> None:
    def read(x: Point, y: Any) -> None: ...

    pair = namedtuple("pair", "path note")
    assert found(read, x=Point("a", "b", "c"), y=pair("d", "e")) == ({"x.file": "a", "y.path": "d"}, {"x.where": "b"})


def test_keys_of_typed_dicts_are_found() -> None:
    def read(x: Wanted, y: list[Wanted]) -> None: ...

    wanted: Wanted = {"where": "a", "note": "b"}
    assert found(read, x=wanted, y=[{**wanted, "folder": "c"}]) == (
        {"y.0.folder": "c"},
        {"x.where": "a", "y.0.where": "a"},
    )


def test_fields_of_models_are_found_extra_ones_and_aliases_too() -> None:
    def read(x: Request) -> None: ...

    request = Request.model_validate(
        {"path": "a", "where": "b", "fileLocationPath": "c", "webhook": "d", "more": {"dir": "e"}, "note": "f"}
    )
    request.inner = Options("g", "h", more=[{"url": "i"}])
    assert found(read, x=request) == (
        {"x.path": "a", "x.location": "c", "x.inner.path": "g", "x.more.dir": "e"},
        {"x.where": "b", "x.inner.where": "h", "x.inner.more.0.url": "i", "x.webhook": "d"},
    )


def test_extra_fields_of_a_pydantic_dataclass_are_found() -> None:
    def read(x: Any) -> None: ...

    sent = TypeAdapter(Sent).validate_python({"path": "a", "where": "b", "link": "c"})
    assert found(read, x=sent) == ({"x.path": "a"}, {"x.where": "b", "x.link": "c"})


def test_a_root_model_is_what_stands_in_it() -> None:
    class Files(RootModel[list[str]]): ...

    def read(files: Files, note: Files) -> None: ...

    assert found(read, files=Files(["a"]), note=Files(["b"])) == ({"files.root.0": "a"}, {})


def test_a_name_does_not_reach_into_fields_which_have_names_of_their_own() -> None:
    def upload(file: Options) -> None: ...

    assert found(upload, file=Options("a", "b", note="c")) == ({"file.path": "a"}, {"file.where": "b"})


@dataclass
class Box(Generic[S]):
    held: S
    more: list[S]


class Page(BaseModel, Generic[S]):
    held: S
    more: list[S]


@pytest.mark.parametrize("generic", [Box, Page])
def test_generic_classes_say_what_they_hold(generic: Any) -> None:
    def read(x: Any, y: Any) -> None: ...

    marked = generic[Annotated[str, FilePath]]
    read.__annotations__ = {"x": marked, "y": generic[str]}
    assert found(read, x=marked(held="a", more=["b"]), y=generic[str](held="c", more=["d"])) == (
        {"x.held": "a", "x.more.0": "b"},
        {},
    )


@dataclass
class Chain:
    file: str
    following: Chain | None = None


def test_classes_that_refer_to_themselves_are_followed() -> None:
    def read(x: Chain) -> None: ...

    assert list(found(read, x=Chain("a", Chain("b", Chain("c"))))[0]) == [
        "x.file",
        "x.following.file",
        "x.following.following.file",
    ]


def test_a_class_whose_hints_name_what_does_not_exist_is_looked_into_all_the_same() -> None:
    @dataclass
    class Odd:
        path: str
        where: Annotated[str, Url]
        other: Missing  # type: ignore[name-defined]  # noqa: F821

    def read(x: Any) -> None: ...

    assert found(read, x=Odd("a", "b", {"url": "c"})) == ({"x.path": "a"}, {"x.where": "b", "x.other.url": "c"})


@pytest.mark.parametrize(
    "value",
    [
        {"path": "a"},
        OrderedDict(path="a"),
        MappingProxyType({"path": "a"}),
        [{"path": "a"}],
        deque([{"path": "a"}]),
        ({"n": [{"path": "a"}]},),
        {1: {"path": "a"}},
        {"k": {"path": "a"}}.values(),
    ],
)
def test_every_container_is_looked_into(value: Any) -> None:
    def read(x: Any) -> None: ...

    assert list(found(read, x=value)[0].values()) == ["a"]


def test_a_path_may_be_a_key() -> None:
    def read(x: Any, y: dict[Path, str]) -> None: ...

    assert found(read, x={Path("a"): 1}, y={Path("b"): "c"}) == ({"x.…": Path("a"), "y.…": Path("b")}, {})


def test_objects_of_other_classes_are_not_looked_into() -> None:
    def read(x: Any, path: Any) -> None: ...

    assert found(read, x=SimpleNamespace(path="a"), path=object()) == ({}, {})


# --- *args and **kwargs ----------------------------------------------------------------------------------------


def test_further_arguments_are_judged_by_the_name_and_the_annotation_of_their_parameter() -> None:
    def read(*paths: str) -> None: ...
    def fetch(*more: Annotated[str, Url]) -> None: ...
    def other(*more: str) -> None: ...

    assert found(read, paths=("a", "b")) == ({"paths.0": "a", "paths.1": "b"}, {})
    assert found(fetch, more=("a",)) == ({}, {"more.0": "a"})
    assert found(other, more=("a",)) == ({}, {})


def test_further_keywords_are_judged_by_their_own_names() -> None:
    def read(note: str, **urls: Any) -> None: ...

    assert found(read, note="a", path="b", deep={"link": "c"}, other="d", urls="e") == (
        {"path": "b"},
        {"deep.link": "c", "urls": "e"},
    )


def test_further_keywords_are_judged_by_the_annotation() -> None:
    def fetch(**more: Annotated[str, Url]) -> None: ...
    def ask(**more: Unpack[Wanted]) -> None: ...

    assert found(fetch, a="x", path="y") == ({}, {"a": "x", "path": "y"})
    assert found(ask, where="x", folder="y", note="z") == ({"folder": "y"}, {"where": "x"})


def test_a_keyword_that_has_the_name_of_a_positional_argument_is_found() -> None:
    def read(path: str, /, *files: str, **more: str) -> None: ...

    targets = Targets(read)
    paths, _ = targets.of({"path": "a", "files": ("b",)}, {"path": "c", "files": "d"})
    assert [value for _, value in paths] == ["a", "b", "c", "d"]


def test_the_name_of_a_further_keyword_is_not_repeated_where_it_is_no_word() -> None:
    def read(**more: Any) -> None: ...

    assert list(found(read, **{"my secret path": "a"})[0]) == ["…"]


def test_a_key_is_not_repeated_where_it_is_no_word() -> None:
    def read(x: Any) -> None: ...

    value = {"/etc/passwd": {"path": "a"}, ("t",): {"path": "b"}, 7: {"path": "c"}, "k" * 50: {"path": "d"}}
    assert [place for place, _ in Targets(read).of({"x": value})[0]] == ["x.….path", "x.….path", "x.7.path", "x.….path"]


# --- bounds and hostile values ---------------------------------------------------------------------------------


def nested(depth: int) -> Any:
    value: Any = {"path": "a"}
    for _ in range(depth):
        value = [value]
    return value


def test_what_is_nested_too_deep_is_blocked() -> None:
    def read(x: Any) -> None: ...

    assert len(found(read, x=nested(MAX_DEPTH - 1))[0]) == 1
    with pytest.raises(ValidationBlocked, match=f"nested deeper than {MAX_DEPTH}"):
        found(read, x=nested(MAX_DEPTH))


@pytest.mark.parametrize("wide", [lambda n: ["a"] * n, lambda n: dict.fromkeys(range(n), "a"), lambda n: [[]] * n])
def test_what_is_too_wide_is_blocked(wide: Callable[[int], Any]) -> None:
    def read(x: Any) -> None: ...

    assert found(read, x=wide(MAX_VALUES)) == ({}, {})
    with pytest.raises(ValidationBlocked, match=f"more than {MAX_VALUES} values"):
        found(read, x=wide(MAX_VALUES + 1))


def test_what_can_hold_no_target_may_be_as_wide_as_it_likes() -> None:
    def embed(vector: list[float], texts: list[str], table: dict[str, list[int]], days: set[date] | None) -> None: ...

    vector, texts = [0.5] * (MAX_VALUES + 1), ["a"] * (MAX_VALUES + 1)
    assert found(embed, vector=vector, texts=texts, table={"path": [1] * (MAX_VALUES + 1)}, days=None) == ({}, {})


def test_what_is_in_itself_is_looked_at_once() -> None:
    def read(x: Any) -> None: ...

    loop: dict[str, Any] = {"path": "a"}
    loop["again"] = [loop]
    assert found(read, x=loop) == ({"x.path": "a"}, {})


def test_what_is_in_itself_under_another_name_is_looked_at_under_that_name_too() -> None:
    def read(x: Any) -> None: ...

    loop: dict[str, Any] = {"k": "a"}
    loop["file"] = loop
    assert found(read, x=loop) == ({"x.file.k": "a"}, {})


def test_a_value_that_is_shared_by_many_does_not_take_longer() -> None:
    def read(x: Any) -> None: ...

    shared: Any = {"path": "a"}
    for _ in range(40):
        shared = [shared, shared]
    assert len(found(read, x=shared)[0]) == 1


class Hostile(Mapping[str, Any]):
    def __getitem__(self, key: str) -> Any:
        raise RuntimeError("secret-marker")

    def __iter__(self) -> Iterator[str]:
        return iter(("path",))

    def __len__(self) -> int:
        return 1


class Endless(Sequence[Any]):
    def __getitem__(self, index: Any) -> Any:
        return {"path": "a"}

    def __len__(self) -> int:
        return 1


@dataclass
class Raising:
    path: str

    def __getattribute__(self, name: str) -> Any:
        if name == "path":
            raise RuntimeError("secret-marker")
        return super().__getattribute__(name)


@pytest.mark.parametrize("value", [Hostile(), Raising("a"), [Hostile()], {"k": Raising("a")}])
def test_a_value_that_fails_is_blocked_and_what_it_said_is_not_repeated(value: Any) -> None:
    def read(x: Any) -> None: ...

    with pytest.raises(ValidationBlocked, match=r"failed \(RuntimeError\)") as caught:
        found(read, x=value)
    assert "secret-marker" not in repr((caught.value.args, caught.value.hints))
    assert caught.value.__context__ is None


def test_a_value_without_an_end_is_blocked() -> None:
    def read(x: Any) -> None: ...

    with pytest.raises(ValidationBlocked, match="more than"):
        Targets(read).of({"x": Endless()})


@pytest.mark.parametrize(
    ("hint", "name"),
    [(Iterable[str], "paths"), (Iterable[Annotated[str, Url]], "x"), (Iterator[dict[str, Any]], "x"), (Any, "urls")],
)
def test_what_can_be_read_only_once_is_blocked_where_targets_may_stand_in_it(hint: Any, name: str) -> None:
    def read(**more: Any) -> None: ...

    read.__annotations__ = {"more": hint}
    with pytest.raises(ValidationBlocked, match=f"{name} can be read only once"):
        found(read, **{name: iter(["a"])})


def test_an_iterator_that_can_hold_no_target_is_left_alone() -> None:
    def add(numbers: Iterable[int], words: Iterable[str], rows: Any) -> None: ...

    rows = iter([{"path": "a"}])
    assert found(add, numbers=iter([1]), words=iter("a"), rows=rows) == ({}, {})
    assert next(rows) == {"path": "a"}


@pytest.mark.parametrize("value", [uuid.uuid4(), Decimal(1), date(2026, 1, 1), 1j, enum.Enum("E", "A")])
def test_plain_values_of_the_standard_library_are_left_alone(value: Any) -> None:
    def read(path: Any, x: Any) -> None: ...

    assert found(read, path=value, x=[value]) == ({}, {})


# --- compiling -------------------------------------------------------------------------------------------------


def test_annotations_that_are_defined_later_are_read_at_the_first_call() -> None:
    space: dict[str, Any] = {"Annotated": Annotated, "Url": Url}
    exec("def fetch(x: 'Later') -> None: ...", space)
    targets = Targets(space["fetch"])
    with pytest.raises(NameError):
        targets.of({"x": "a"})
    space["Later"] = Annotated[str, Url]
    assert targets.of({"x": "a"}) == ([], [("x", "a")])


def test_the_annotations_may_be_given() -> None:
    def fetch(x: Annotated[str, Url]) -> None: ...

    assert Targets(fetch, Annotations(fetch)).of({"x": "a"}) == ([], [("x", "a")])


def test_a_function_without_annotations_is_judged_by_names_and_values() -> None:
    def read(path, other=None): ...  # type: ignore[no-untyped-def]

    assert found(read, path="a", other={"url": Path("b")}) == ({"path": "a", "other.url": Path("b")}, {})


def test_answers_of_two_calls_do_not_meet() -> None:
    def read(x: int) -> None: ...

    targets = Targets(read)
    targets.of({"x": 1})[0].append(("x", "a"))
    assert targets.of({"x": 1}) == ([], [])


def test_keys_that_look_like_targets_are_told_where_a_name_declares_the_mapping() -> None:
    def write(files: dict[str, str], options: dict[str, str]) -> None: ...

    paths, urls = Targets(write).of({"files": {"/etc/cron.d/x": "a", "name": "b"}, "options": {"/x": "y"}})
    assert [value for _, value in paths] == ["/etc/cron.d/x", "a", "b"]
    assert urls == []


def test_what_is_no_text_under_a_declared_name_is_told_so_that_it_is_blocked() -> None:
    class Address:
        pass

    def read(path): ...  # type: ignore[no-untyped-def]
    def fetch(url: Annotated[Any, Url]) -> None: ...
    def count(file: int) -> None: ...

    address = Address()
    assert Targets(read).of({"path": 3})[0] == [("path", 3)]
    assert Targets(fetch).of({"url": address})[1] == [("url", address)]
    assert Targets(count).of({"file": 3})[0] == []
