from __future__ import annotations

import pytest
from starlette.types import ASGIApp

from tests.http.asgi import call
from tests.http.seed import README, Seed, model_files


@pytest.fixture
async def shelf(seed: Seed) -> list[str]:
    """Names of public models, oldest first."""
    names = [f"alice/model-{number}" for number in range(5)]
    moment = seed.hub.clock()
    for number, name in enumerate(names):
        seed.hub.clock = lambda number=number: moment + number * 10_000
        repo = await seed.repo(name, by="alice")
        files = model_files() if number % 2 else {"README.md": README.replace(b"tiny", b"other"), "a.bin": b"\0"}
        await seed.release(repo, await seed.commit(repo, files, by="alice"), by="alice")
    return names


async def ids(app: ASGIApp, query: str) -> list[str]:
    answer = await call(app, "GET", f"/api/models?{query}")
    assert answer.status == 200, answer
    return [item["id"] for item in answer.json]


async def test_newest_first_and_by_pages_on_the_public_url(app: ASGIApp, shelf: list[str]) -> None:
    assert await ids(app, "") == shelf[::-1]
    seen: list[str] = []
    target = "/api/models?limit=2&full=true&sort=createdAt&search=MODEL"
    while target:
        answer = await call(app, "GET", target)
        seen += [item["id"] for item in answer.json]
        link = answer.header("link")
        assert link is None or link.startswith("<http://hub.test/api/models?")
        assert link is None or "search=MODEL" in link
        target = link[len("<http://hub.test") : link.index(">")] if link else ""
    assert seen == shelf[::-1]


async def test_filters(app: ASGIApp, shelf: list[str]) -> None:
    tiny = [shelf[3], shelf[1]]
    assert await ids(app, "filter=tiny") == tiny
    assert await ids(app, "filter=tiny,license:apache-2.0&filter=transformers") == tiny
    assert await ids(app, "filter=tiny&pipeline_tag=text-generation") == tiny
    assert await ids(app, "pipeline_tag=image-to-text") == []
    assert await ids(app, "author=ALICE&search=el-4") == [shelf[4]]
    assert await ids(app, "author=bob") == []
    assert await ids(app, "search=100%25") == []
    assert await ids(app, "gated=true") == []
    assert await ids(app, "gated=false") == shelf[::-1]


async def test_full_and_expand(app: ASGIApp, shelf: list[str]) -> None:
    plain = (await call(app, "GET", "/api/models?limit=1")).json[0]
    assert not {"siblings", "cardData"} & set(plain)
    full = (await call(app, "GET", "/api/models?limit=1&full=True")).json[0]
    assert {item["rfilename"] for item in full["siblings"]} >= {"a.bin"}
    assert full["cardData"]["license"] == "apache-2.0"
    some = (await call(app, "GET", "/api/models?limit=1&expand=siblings&expand=private")).json[0]
    assert set(some) == {"_id", "id", "modelId", "siblings", "private"}


async def test_what_is_not_counted_is_said(app: ASGIApp, shelf: list[str]) -> None:
    answer = await call(app, "GET", "/api/models?sort=downloads")
    assert [item["id"] for item in answer.json] == shelf[::-1]
    assert (answer.header("x-hf-warning") or "").startswith("sort; ")


@pytest.mark.parametrize(
    "query",
    ["sort=name", "limit=0", "limit=x", "limit=-1", "cursor=???", "num_parameters=min:1B", "inference_provider=all",
     "&".join("filter=a" for _ in range(3000))],
    ids=lambda query: query[:20],
)  # fmt: skip
async def test_what_cannot_be_answered_is_bad_input(app: ASGIApp, query: str) -> None:
    assert (await call(app, "GET", f"/api/models?{query}")).status == 400
