"""Lists of repos: only those that exist for the reader, in the order of what the reader sees of them.

    page = await list_visible_repos(db, reader, search="tiny", limit=20)
    for item in page.repos: print(item.repo.full_name, item.visible)

The order is by the visible revision's date, never by the repo's own last change: activity before a release would show.
For the same reason "createdAt" is, for who is no writer, the date of the first release that is open to them.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import msgspec

from weighbridge.accounts import Reader, Role, hub_roles
from weighbridge.errors import InvalidInput
from weighbridge.hub.access import judge, writer_view
from weighbridge.hub.card import card_tags
from weighbridge.hub.naming import QUERIES, Repo, repo_from_listing
from weighbridge.hub.standing import Standing
from weighbridge.hub.visible import CardOnly, Gated, Readable, Withdrawn

if TYPE_CHECKING:
    from weighbridge.storage.database import Row, Session

MAX_LIMIT = 1000
SORTS = ("lastModified", "createdAt")
_NEVER_MS = 2**62
_WRITER, _INTERNAL, _PARTNER = 3, 2, 1


class ListedRepo(msgspec.Struct, frozen=True, kw_only=True):
    """A repo and how the reader sees its ``main``."""

    repo: Repo
    visible: Readable | Gated | CardOnly | Withdrawn


class RepoPage(msgspec.Struct, frozen=True, kw_only=True):
    """Part of a list. ``next_cursor`` continues it; None at its end."""

    repos: list[ListedRepo]
    next_cursor: str | None


async def list_visible_repos(
    session: Session,
    reader: Reader,
    *,
    type: str = "model",  # noqa: A002
    author: str = "",
    search: str = "",
    tags: Collection[str] = (),
    sort: str = "lastModified",
    limit: int = 100,
    cursor: str = "",
) -> RepoPage:
    """Repos that are not hidden, newest first. ``author``: a namespace; ``search``: part of the name, in any case;
    ``tags``: all of them are among the tags of the card that the reader sees (``card.card_tags``).

    Raises: InvalidInput for an unknown sort, a limit out of 1 to 1,000, or a cursor that is not ours.
    """
    if sort not in SORTS or not 1 <= limit <= MAX_LIMIT:
        raise InvalidInput(f"could not list: sort is one of {', '.join(SORTS)}, limit is 1 to {MAX_LIMIT:,}")
    before = _read_cursor(cursor)
    params = await _reader_params(session, reader)
    params |= {"type": type, "by_creation": int(sort == "createdAt"), "most": limit + 1}
    params |= {"namespace_key": author, "namespace_pattern": f"{_literal(author)}/%"}
    params |= {"search": f"%{_literal(search)}%" if search else ""}
    found: list[Row] = []
    while len(found) <= limit:
        rows = await session.all(QUERIES["visible_repos"], **params, before_key=before[0], before_id=before[1])
        found += [row for row in rows if not tags or _has_tags(row, tags)]
        if len(rows) <= limit:
            break
        before = (rows[-1]["sort_key"], rows[-1]["p_id"])
    return _page(found, reader, limit)


def _page(found: Sequence[Row], reader: Reader, limit: int) -> RepoPage:
    more = len(found) > limit
    last = found[limit - 1] if more else None
    return RepoPage(
        repos=[item for row in found[:limit] if (item := _item(row, reader)) is not None],
        next_cursor=_write_cursor(last["sort_key"], last["p_id"]) if last else None,
    )


def _item(row: Row, reader: Reader) -> ListedRepo | None:
    """The verdict is taken anew from the row: the SQL only says which release to look at."""
    repo = repo_from_listing(row)
    if row["level"] == _WRITER:
        return ListedRepo(repo=repo, visible=writer_view(row, repo))
    standing = Standing(
        known=reader.account_for(repo.id) is not None,
        internal=row["level"] >= _INTERNAL,
        partner=row["level"] >= _PARTNER,
        reviewer=bool(row["reviews"]),
        auditor=bool(row["audits"]),
        request=row["request"] or "",
    )
    visible = judge(row, repo, standing)
    return (
        ListedRepo(repo=repo, visible=visible) if isinstance(visible, Readable | Gated | CardOnly | Withdrawn) else None
    )


async def _reader_params(session: Session, reader: Reader) -> dict[str, object]:
    roles = await hub_roles(session, reader.account.id) if reader.account else frozenset[Role]()
    return {
        "account_id": reader.account.id if reader.account else "",
        "bound_repo_id": reader.repo_id or "",
        "hub_admin": int(Role.ADMIN in roles),
        "hub_reviewer": int(Role.REVIEWER in roles),
        "hub_auditor": int(Role.AUDITOR in roles),
    }


def _has_tags(row: Row, tags: Collection[str]) -> bool:
    if row["advisory_id"]:
        return False  # the card of a withdrawn release is not told
    there = card_tags(msgspec.json.decode(row["card"]))
    return all(tag in there for tag in tags)


def _literal(text: str) -> str:
    """``text`` for a LIKE pattern whose escape character is ``!``."""
    return text.lower()[:200].replace("!", "!!").replace("%", "!%").replace("_", "!_")


def _write_cursor(key: int, repo_id: str) -> str:
    return base64.urlsafe_b64encode(f"{key}.{repo_id}".encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[int, str]:
    if not cursor:
        return _NEVER_MS, ""
    try:
        key, _, repo_id = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition(".")
        return min(max(int(key), 0), _NEVER_MS), repo_id
    except (binascii.Error, ValueError) as error:
        raise InvalidInput("could not list: this cursor is not one of this list") from error
