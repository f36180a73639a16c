"""The log's files, as C2SP tlog-tiles wants them served."""

import pytest

NOTE = b"hub.test/tlog\n300\nAAAA\n\n\xe2\x80\x94 hub.test/tlog sig\n"


@pytest.fixture
async def published(hub):
    await hub.objects.put("checkpoint", NOTE, create=False)
    await hub.objects.put("tile/0/000", b"h" * 8192, create=True)
    await hub.objects.put("tile/0/001.p/44", b"p" * 1408, create=True)
    await hub.objects.put("tile/entries/x001/234", b"e", create=True)


async def test_the_checkpoint_is_text_that_no_cache_keeps(browse, published):
    answer = await browse("/tlog/checkpoint")
    assert answer.body == NOTE
    assert answer.header("content-type") == "text/plain; charset=utf-8"
    assert answer.header("cache-control") == "no-cache"


@pytest.mark.parametrize("path", ["tile/0/000", "tile/0/001.p/44", "tile/entries/x001/234"])
async def test_tiles_are_bytes_that_never_change(browse, published, path):
    answer = await browse(f"/tlog/{path}")
    assert answer.status == 200
    assert answer.header("content-type") == "application/octet-stream"
    assert answer.header("cache-control") == "public, max-age=31536000, immutable"
    assert answer.header("access-control-allow-origin") == "*"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile/0/002",
        "tile/64/000",
        "tile/0/1",
        "tile/0/000.p/0",
        "tile/0/../../metadata.sqlite",
        "..%2fmetadata.sqlite",
        "tile/0/%2e%2e/checkpoint",
        ".part/x",
        "checkpoint/",
        "tile/0/٠٠٠",
    ],
)
async def test_nothing_else_is_there(browse, published, path):
    from urllib.parse import quote

    assert (await browse(f"/tlog/{quote(path, safe='/%')}")).status == 404


async def test_a_log_without_entries_has_no_checkpoint_yet(browse):
    assert (await browse("/tlog/checkpoint")).status == 404
