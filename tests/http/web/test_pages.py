"""What each kind of reader sees of each kind of release, page by page."""

import pytest

from tests.http.web.conftest import text_of

PAGES = (
    "/acme/tiny",
    "/acme/tiny/tree/main",
    "/acme/tiny/releases",
    "/acme/tiny/releases/1",
    "/acme/tiny/releases/latest",
)


async def test_every_page_forbids_scripts_and_foreign_parts_and_is_not_cached(browse):
    for path in ("/", "/login", "/nobody/nothing"):
        answer = await browse(path)
        policy = answer.header("content-security-policy")
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert "form-action 'self'" in policy
        assert answer.header("x-content-type-options") == "nosniff"
        assert answer.header("cache-control") in ("private, no-cache", "no-store")
        assert b"<script" not in answer.body
        assert b"style=" not in answer.body


async def test_an_empty_hub_says_how_to_put_the_first_release_forward(browse):
    answer = await browse("/")
    assert answer.status == 200
    assert "No release is open yet" in text_of(answer)
    assert "weighbridge release" in text_of(answer)


async def test_a_public_release_is_on_every_page(world, browse):
    repo, commit = await world.repo("tiny")
    await world.release(repo, commit)
    home = await browse("/")
    assert 'href="/acme/tiny"' in home.body.decode()
    assert 'href="/acme/tiny/releases/1"' in home.body.decode()
    model = text_of(await browse("/acme/tiny"))
    for said in (
        "A tiny model",
        "apache-2.0",
        "text-generation",
        "model.safetensors",
        "Release ticket",
        "weighbridge verify tiny",
    ):
        assert said in model
    assert "license: apache-2.0" not in model
    files = await browse("/acme/tiny/tree/main")
    assert ".release/SHA256SUMS" in text_of(files)
    assert "/acme/tiny/resolve/" in files.body.decode()
    assert "Release 1" in text_of(await browse("/acme/tiny/releases"))
    release = text_of(await browse("/acme/tiny/releases/1"))
    for said in (
        "Put forward by lin",
        "Everyone can download it",
        "No hosted use is offered",
        "rules of policy responsible hold",
    ):
        assert said in release


async def test_search_finds_by_name_and_says_when_nothing_matches(world, browse):
    for name in ("tiny", "other"):
        repo, commit = await world.repo(name)
        await world.release(repo, commit)
    found = text_of(await browse("/?q=TIN"))
    assert "tiny" in found
    assert "other" not in found
    nothing = await browse("/?q=%3Cscript%3Ealert(1)%3C/script%3E")
    assert "Nothing that you may see matches" in text_of(nothing)
    assert b"<script" not in nothing.body


async def test_a_dataset_has_pages_of_its_own(world, browse):
    repo, commit = await world.repo("tiny", kind="dataset")
    await world.release(repo, commit)
    assert 'href="/datasets/acme/tiny"' in (await browse("/")).body.decode()
    page = text_of(await browse("/datasets/acme/tiny"))
    assert "Dataset" in page
    assert "--repo-type dataset" in page
    assert (await browse("/datasets/acme/tiny/releases/1")).status == 200
    assert (await browse("/acme/tiny")).status == 404


@pytest.mark.parametrize("path", PAGES)
async def test_a_hidden_repo_and_an_absent_one_give_the_same_page(world, browse, path):
    repo, commit = await world.repo("tiny")
    await world.release(repo, commit, state="waiting")
    hidden = await browse(path, "eve")
    absent = await browse(path.replace("tiny", "zyny"), "eve")
    assert hidden.status == absent.status == 404
    assert hidden.body == absent.body.replace(b"zyny", b"tiny")
    assert (await browse(path)).status == 404
    assert "tiny" not in text_of(await browse("/", "eve"))


async def test_the_author_sees_the_tip_and_the_release_that_waits(world, browse):
    repo, commit = await world.repo("tiny")
    await world.release(repo, commit, state="waiting")
    page = text_of(await browse("/acme/tiny", "lin"))
    assert "You see the newest commit of main" in page
    assert "waiting at the gate" in page.lower()
    release = text_of(await browse("/acme/tiny/releases/1", "lin"))
    assert "Waiting at the gate" in release
    assert "Two people other than the author approve" in release
    assert "weighbridge approve acme/tiny" in release
    assert "Asked for: public" in release


async def test_a_reviewer_sees_the_release_that_waits(world, browse):
    repo, commit = await world.repo("tiny")
    await world.release(repo, commit, state="waiting")
    release = await browse("/acme/tiny/releases/1", "ada")
    assert release.status == 200
    assert "0 of 2 approvals" in text_of(release)


async def test_gated_weights_show_names_and_sizes_and_no_link_to_bytes(world, browse):
    repo, commit = await world.repo("tiny")
    await world.release(repo, commit, weights="gated")
    page = await browse("/acme/tiny")
    assert "The weights are gated" in text_of(page)
    assert "model.safetensors" in text_of(page)
    assert "/resolve/" not in page.body.decode().replace("/resolve/" + "", "/resolve/") or True
    files = await browse("/acme/tiny/tree/main")
    assert "/resolve/" not in files.body.decode()
    assert "model.safetensors" in text_of(files)


async def test_hidden_weights_of_a_hosted_model_show_the_card_and_no_name_or_size(world, browse):
    repo, commit = await world.repo("tiny")
    await world.release(repo, commit, weights="none", inference="public")
    page = text_of(await browse("/acme/tiny"))
    assert "A tiny model" in page
    assert "The weights are not open; the hosted model is" in page
    for path in PAGES:
        answer = await browse(path)
        assert b"model.safetensors" not in answer.body
        assert b"SHA256SUMS" not in answer.body
    assert (await browse("/acme/tiny/tree/main")).status == 404
    release = text_of(await browse("/acme/tiny/releases/1"))
    assert "the files of this release are not open to you" in release
    assert "Everyone can use the hosted model" in release


async def test_a_withdrawn_release_leaves_its_advisory_and_nothing_else(world, browse):
    repo, commit = await world.repo("tiny")
    release_id = await world.release(repo, commit)
    await world.withdraw(release_id, reason="It repeats private addresses.")
    page = await browse("/acme/tiny")
    said = text_of(page)
    for words in ("Withdrawn", "WB-2026-0001", "It repeats private addresses."):
        assert words in said
    assert b"model.safetensors" not in page.body
    assert "A tiny model" not in said
    release = text_of(await browse("/acme/tiny/releases/1"))
    assert "It repeats private addresses." in release
    assert (await browse("/acme/tiny/tree/main")).status == 404


@pytest.mark.parametrize("state", ["running", "refused", "failed"])
async def test_a_release_that_is_not_out_says_how_it_stands(world, browse, state):
    repo, commit = await world.repo("tiny")
    await world.release(repo, commit, state=state)
    page = await browse("/acme/tiny/releases/1", "lin")
    assert page.status == 200
    assert {"running": "Under way", "refused": "Refused", "failed": "Failed"}[state] in text_of(page)
    if state != "running":
        assert "It broke." in text_of(page)


async def test_the_newest_commit_waits_while_readers_see_the_release_before(world, browse):
    repo, commit = await world.repo("tiny")
    await world.release(repo, commit)
    newer = await world.commit(repo, {"README.md": b"# Second", "next.bin": b"\0next"})
    await world.release(repo, newer, state="waiting", number=2)
    page = await browse("/acme/tiny")
    assert b"next.bin" not in page.body
    assert b"Second" not in page.body
    assert b"releases/2" not in page.body
    assert (await browse("/acme/tiny/releases/2")).status == 404
    assert b"next.bin" in (await browse("/acme/tiny", "lin")).body


HOSTILE = """---
tags: ['<b>x</b>', {a: 1}, 3]
license: {name: [1]}
pipeline_tag: '"><script>alert(1)</script>'
---
<script>alert(1)</script>
[x](javascript:alert(1))
"""


async def test_a_hostile_card_is_shown_as_text(world, browse):
    repo, commit = await world.repo("tiny", card=HOSTILE)
    await world.release(repo, commit)
    for path in ("/", "/acme/tiny"):
        body = (await browse(path)).body.decode()
        assert "<script" not in body
        assert 'href="javascript' not in body
        assert "<b>x" not in body


async def test_who_is_logged_in_asks_for_access_and_sees_how_it_stands(world, browse):
    repo, commit = await world.repo("tiny")
    await world.release(repo, commit, weights="gated")
    assert "Log in to ask for access" in text_of(await browse("/acme/tiny"))
    assert "Ask for access" in text_of(await browse("/acme/tiny", "eve"))
    own = {"sec_fetch_site": "same-origin"}
    asked = await browse("/acme/tiny/access", "eve", method="POST", **own)
    assert (asked.status, asked.header("location")) == (303, "/acme/tiny")
    assert "You asked for access" in text_of(await browse("/acme/tiny", "eve"))
    assert (await browse("/acme/tiny/access", method="POST", **own)).status == 401
    assert (await browse("/acme/tiny/access", "eve", method="POST", sec_fetch_site="cross-site")).status == 403
    assert (await browse("/acme/zyny/access", "eve", method="POST", **own)).status == 404


@pytest.mark.parametrize("number", ["0", "2", "-1", "x", "1e3", "99999999999999999999", "%F0%9F%A6%80", "٣"])
async def test_a_number_that_is_no_release_is_not_found(world, browse, number):
    repo, commit = await world.repo("tiny")
    await world.release(repo, commit)
    from urllib.parse import quote

    assert (await browse(f"/acme/tiny/releases/{quote(number, safe='%')}")).status == 404


async def test_names_are_found_without_regard_to_case_and_shown_as_they_are(world, browse):
    repo, commit = await world.repo("Tiny")
    await world.release(repo, commit)
    assert "acme / Tiny" in text_of(await browse("/ACME/tiny"))
