"""Every case of the hostile corpus, through a whole gate: what is to be blocked never reaches the function."""

from __future__ import annotations

from typing import Annotated, Any

import pytest

from agent_airlock import Airlock, AirlockConfig, EndpointPolicy, FilePath, MemoryLedger, Url
from tests.checks import paths, urls

PATHS = paths.hostile_paths()
URLS = urls.hostile_urls()


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> paths.Tree:
    return paths.make_tree(tmp_path_factory.mktemp("tree"))


def read(path: Annotated[str, FilePath]) -> str:
    return path


def read_all(options: dict[str, list[Annotated[str, FilePath]]]) -> str:
    return options["files"][0]


def fetch(url: Annotated[str, Url]) -> str:
    return url


def fetch_all(requests: list[dict[str, Annotated[str, Url]]]) -> str:
    return requests[0]["to"]


@pytest.mark.parametrize("case", PATHS, ids=[case.name for case in PATHS])
def test_a_path_of_the_corpus(case: paths.Case, tree: paths.Tree) -> None:
    config = AirlockConfig(filesystem_policy=paths.policy_of(tree))
    text = case.filled(tree)
    nested: Any = Airlock(config=config, ledger=MemoryLedger())(read_all)
    gated: Any = Airlock(config=config, ledger=MemoryLedger())(read)
    for answer in (gated(text), nested({"files": [text]})):
        if case.verdict == "pass":
            assert answer == text
        else:
            assert (answer["block_reason"], answer["metadata"]["rule"]) == ("path_violation", case.verdict)
            assert len(text) < 6 or text not in repr(answer), "the path is not repeated"


@pytest.mark.parametrize("case", URLS, ids=[case.name for case in URLS])
def test_a_url_of_the_corpus(case: urls.Case) -> None:
    config = AirlockConfig(endpoint_policies={"fetch*": EndpointPolicy()})
    gated: Any = Airlock(config=config, ledger=MemoryLedger())(fetch)
    nested: Any = Airlock(config=config, ledger=MemoryLedger())(fetch_all)
    for answer in (gated(case.text), nested([{"to": case.text}])):
        if case.verdict == "pass":
            assert answer == case.text
        else:
            assert answer["block_reason"] == "endpoint_blocked"
            assert len(case.text) < 12 or case.text not in repr(answer), "the URL is not repeated"


def test_every_case_names_where_its_trick_comes_from() -> None:
    for case in (*PATHS, *URLS):
        assert len(case.source) > 3, case.name
    assert len({case.name for case in PATHS}) == len(PATHS)
    assert len({case.name for case in URLS}) == len(URLS)
