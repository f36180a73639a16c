"""``GET /api/whoami-v2``."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from weighbridge.accounts import Membership, Role, organisations_of
from weighbridge.errors import NotAuthenticated
from weighbridge.http.auth import hub_of, reader_of
from weighbridge.http.hf.times import rfc3339
from weighbridge.http.json import answer


async def whoami(request: Request) -> Response:
    """Whose token this is, its organisations, and what it is good for."""
    reader = await reader_of(request)
    account = reader.account
    if account is None:
        raise NotAuthenticated("could not say who you are: no token was sent")
    body = {
        "type": "user",
        "id": account.id,
        "name": account.name,
        "fullname": account.full_name,
        "orgs": [_organisation(one) for one in await organisations_of(hub_of(request).db, account.id)],
        "auth": {
            "type": "access_token",
            "accessToken": {
                "displayName": reader.token_name,
                "role": "write" if reader.may("write") else "read",
                "scopes": sorted(reader.scopes),
                "createdAt": rfc3339(reader.token_created_ms),
            },
        },
    }
    return answer(body)


def _organisation(one: Membership) -> dict[str, Any]:
    order = (Role.ADMIN, Role.WRITE, Role.CONTRIBUTE, Role.READ)
    role = next((role for role in order if role in one.roles), Role.READ)
    return {
        "type": "org",
        "id": one.account.id,
        "name": one.account.name,
        "fullname": one.account.full_name,
        "roleInOrg": role,
    }
