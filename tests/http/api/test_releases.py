from __future__ import annotations

import pytest
from starlette.types import ASGIApp

from tests.http.asgi import call
from tests.http.seed import Seed, model_files

COHORT = "/api/weighbridge/v1/repos/models/alice/tiny/cohort"


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_who_may_not_name_partners_is_not_told_which_accounts_there_are(
    app: ASGIApp, seed: Seed, method: str
) -> None:
    repo = await seed.repo("alice/tiny", by="alice")
    await seed.release(repo, await seed.commit(repo, model_files(), by="alice"), by="alice")
    for token, status in ((None, 401), (seed.tokens["bob"], 403)):
        there = await call(app, method, f"{COHORT}/alice", token=token)
        absent = await call(app, method, f"{COHORT}/nobody", token=token)
        assert (there.status, there.body) == (status, absent.body)
        assert absent.status == status
    owner = seed.tokens["alice"]
    assert (await call(app, method, f"{COHORT}/bob", token=owner)).status == 204
    assert (await call(app, method, f"{COHORT}/nobody", token=owner)).status == 404
