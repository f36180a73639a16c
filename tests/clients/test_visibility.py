"""Making a repo public asks for the transition; the policy ``open`` grants it after inspection."""

from __future__ import annotations

import time

import pytest
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

from tests.clients.conftest import Library
from tests.http.seed import README, Seed
from tests.running import RunningHub
from weighbridge.accounts import find_account
from weighbridge.bootstrap import Hub
from weighbridge.hub.repo import find_repo

FILES = {"README.md": README, "config.json": b'{"model_type": "tiny"}\n'}
RELEASED_WITHIN_S = 60


def fill(running_hub: RunningHub, library: Library, name: str) -> None:
    async def commit(hub: Hub) -> None:
        seed = Seed(hub, tokens=dict(library.tokens))
        account, repo = await find_account(hub.db, "guest"), await find_repo(hub.db, "model", name)
        assert account and repo
        seed.accounts["guest"] = account
        await seed.commit(repo, FILES, by="guest")

    running_hub.inside(commit)


def wait_until_seen(library: Library, name: str) -> None:
    deadline = time.monotonic() + RELEASED_WITHIN_S
    while not library.api().repo_exists(name):
        assert time.monotonic() < deadline, f"{name} was not released"
        time.sleep(0.1)


def test_public_under_the_open_policy(running_hub: RunningHub, library: Library) -> None:
    api = library.api("guest")
    api.create_repo("guest/opening", private=True)
    fill(running_hub, library, "guest/opening")
    with pytest.raises(RepositoryNotFoundError):
        library.api().model_info("guest/opening")
    api.update_repo_settings("guest/opening", private=False)
    wait_until_seen(library, "guest/opening")
    info = library.api().model_info("guest/opening")
    assert {file.rfilename for file in info.siblings or []} > {*FILES, "model.sig", ".release/attestations.jsonl"}
    assert (info.private, info.gated) == (False, False)
    api.update_repo_settings("guest/opening", private=True)
    with pytest.raises(RepositoryNotFoundError):
        library.api().model_info("guest/opening")


def test_public_under_a_strict_policy_says_what_is_missing(running_hub: RunningHub, library: Library) -> None:
    api = library.api("guest")
    api.create_repo("guest/strict", private=True)
    fill(running_hub, library, "guest/strict")
    running_hub.inside(lambda hub: hub.db.run("UPDATE repo SET policy = 'responsible' WHERE name = 'strict'"))
    with pytest.raises(HfHubHTTPError) as caught:
        api.update_repo_settings("guest/strict", private=False)
    answer = caught.value.response
    assert (answer.status_code, answer.headers["X-Error-Code"]) == (403, "Refused")
    assert "Two reviewers other than the author agree" in answer.json()["missing"]
    with pytest.raises(RepositoryNotFoundError):
        library.api().model_info("guest/strict")


def test_gated_under_the_open_policy(running_hub: RunningHub, library: Library) -> None:
    api = library.api("guest")
    api.create_repo("guest/gating", private=True)
    fill(running_hub, library, "guest/gating")
    api.update_repo_settings("guest/gating", gated="manual", private=False)
    wait_until_seen(library, "guest/gating")
    assert library.api().model_info("guest/gating").gated == "manual"
    with pytest.raises(GatedRepoError):
        hf_hub_download("guest/gating", "config.json", endpoint=library.url, token=library.tokens["libby"])
    api.update_repo_settings("guest/gating", gated=False)
    deadline = time.monotonic() + RELEASED_WITHIN_S
    while library.api().model_info("guest/gating").gated:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    hf_hub_download("guest/gating", "config.json", endpoint=library.url, token=False)
