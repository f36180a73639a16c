"""A release as it is shown: docs/format.md section 9 `Release`, for the API, the pages and the command line alike.

    view = await release_view(db, repo, row, reader, public_url=settings.public_url)

Writers, reviewers and auditors see all of it; others see only releases that ``visible_revision`` shows them, and no
reviewer's reasons.
"""

from __future__ import annotations

from typing import Any

import msgspec

from weighbridge.accounts import Reader, get_account
from weighbridge.errors import RevisionNotFound
from weighbridge.evidence.envelope import read_envelope
from weighbridge.evidence.statement import Kind
from weighbridge.evidence.times import rfc3339
from weighbridge.hub.access import Gated, Hidden, Readable, visible_revision
from weighbridge.hub.naming import Repo
from weighbridge.hub.standing import standing_on
from weighbridge.release.case import find_statement, statement_key
from weighbridge.release.names import ReleaseState
from weighbridge.release.shown import (
    ApprovalView,
    Dials,
    FindingView,
    LogView,
    MissingView,
    PolicyView,
    ReleaseView,
    RuleView,
    StageView,
    StatementView,
    WithdrawalView,
)
from weighbridge.storage.database import Row, Session, load_queries

QUERIES = load_queries("weighbridge.release")
EVERY_RELEASE = 2**62
LISTED_AT_ONCE = 200


async def is_insider(session: Session, repo: Repo, reader: Reader) -> bool:
    """Whether the reader sees every release of the repo: a writer, a reviewer, an auditor."""
    standing = await standing_on(session, repo, reader)
    return standing.writer or standing.reviewer or standing.auditor


async def find_release(session: Session, repo: Repo, number: int | str, reader: Reader) -> Row:
    """The release of that number, or the newest (``latest``) of which this reader may know.

    Raises:
        RevisionNotFound: there is none for this reader.
    """
    if number == "latest":
        rows = await list_releases(session, repo, reader, limit=1)
        row = rows[0] if rows else None
    else:
        row = await _by_number(session, repo, number, reader)
    if row is None:
        raise RevisionNotFound(f"could not find release {str(number)[:20]} of {repo.full_name}")
    return row


async def list_releases(session: Session, repo: Repo, reader: Reader, *, limit: int = 50) -> list[Row]:
    """Releases of which this reader may know, newest first."""
    insider = await is_insider(session, repo, reader)
    known: list[Row] = []
    below = EVERY_RELEASE
    while len(known) < limit:
        rows = await session.all(QUERIES["releases_of_repo"], repo_id=repo.id, below=below, limit=LISTED_AT_ONCE)
        known += [row for row in rows if insider or await _is_known(session, repo, row, reader)]
        if len(rows) < LISTED_AT_ONCE:
            break
        below = rows[-1]["number"]
    return known[:limit]


async def release_view(session: Session, repo: Repo, row: Row, reader: Reader, *, public_url: str) -> ReleaseView:
    """The release as this reader, who may know of it, sees it.

    Who may know that it is there and not what is in it (weights hidden, withdrawn) gets no file's name, count or size.
    """
    insider = await is_insider(session, repo, reader)
    if not insider and not await _may_list(session, repo, row, reader):
        return _outline(await _whole_view(session, repo, row, public_url=public_url, insider=False))
    return await _whole_view(session, repo, row, public_url=public_url, insider=insider)


async def _whole_view(session: Session, repo: Repo, row: Row, *, public_url: str, insider: bool) -> ReleaseView:
    withdrawal = await session.one(QUERIES["withdrawal_of_release"], release_id=row["id"])
    rules = await _rules(session, row["id"])
    author = await get_account(session, row["author_id"])
    prefix = "/datasets" if repo.type == "dataset" else ""
    return ReleaseView(
        repo=repo.full_name,
        type=repo.type,
        number=row["number"],
        digest=row["digest"],
        candidate=row["candidate_oid"],
        commit=row["commit_oid"],
        author=author.name,
        policy=PolicyView(name=row["policy"], sha256=row["policy_sha256"]),
        wanted=Dials(weights=row["weights_wanted"], inference=row["inference_wanted"]),
        current=Dials(
            weights="none" if withdrawal else row["weights"], inference="none" if withdrawal else row["inference"]
        ),
        state=ReleaseState.WITHDRAWN if withdrawal else ReleaseState(row["state"]),
        problem=row["problem"],
        created_at=rfc3339(row["created_ms"]),
        updated_at=rfc3339_ms(row["updated_ms"]),
        stages=[_stage(stage) for stage in await session.all(QUERIES["stages_of_release"], release_id=row["id"])],
        findings=await _findings(session, row["id"]),
        rules=rules,
        missing=[
            MissingView(rule=rule.id, title=rule.title, remedy=rule.remedy)
            for rule in rules
            if rule.severity == "block" and not rule.passed
        ],
        approvals=await _approvals(session, row["id"], with_reasons=insider),
        statements=[
            StatementView(id=kept["id"], kind=kept["kind"])
            for kept in await session.all(QUERIES["statements_of_release"], release_id=row["id"])
        ],
        log=await _log(session, row["id"]),
        withdrawal=_withdrawal(withdrawal),
        url=f"{public_url}{prefix}/{repo.full_name}/releases/{row['number']}",
    )


def rfc3339_ms(at_ms: int) -> str:
    """The time as text, to the millisecond: who polls compares it."""
    return f"{rfc3339(at_ms)[:-1]}.{at_ms % 1000:03}Z"


async def _by_number(session: Session, repo: Repo, number: int | str, reader: Reader) -> Row | None:
    row = await session.one(QUERIES["release_by_number"], repo_id=repo.id, number=int(number))
    if row is None or await is_insider(session, repo, reader):
        return row
    return row if await _is_known(session, repo, row, reader) else None


async def _is_known(session: Session, repo: Repo, row: Row, reader: Reader) -> bool:
    if row["commit_oid"] is None:
        return False
    visible = await visible_revision(session, repo, f"refs/releases/{row['number']}", reader)
    return not isinstance(visible, Hidden)


async def _may_list(session: Session, repo: Repo, row: Row, reader: Reader) -> bool:
    visible = await visible_revision(session, repo, f"refs/releases/{row['number']}", reader)
    return isinstance(visible, Readable | Gated)


def _outline(view: ReleaseView) -> ReleaseView:
    """The view without what speaks of files: findings, and the words of stages and rules, which count and name them."""
    change = msgspec.structs.replace
    return change(
        view,
        findings=[],
        stages=[change(stage, summary="", reasons=[], done_bytes=0, total_bytes=0) for stage in view.stages],
        rules=[change(rule, detail="") for rule in view.rules],
    )


async def _rules(session: Session, release_id: str) -> list[RuleView]:
    """The verdict of each rule: of the signed decision, else of the last preview."""
    decision = await find_statement(session, release_id, Kind.DECISION)
    if decision is not None:
        return msgspec.convert(read_envelope(decision.text).statement["predicate"]["rules"], list[RuleView])
    preview = await session.one(QUERIES["preview_of_release"], release_id=release_id)
    return msgspec.json.decode(preview["rules"], type=list[RuleView]) if preview else []


async def _findings(session: Session, release_id: str) -> list[FindingView]:
    return msgspec.convert(await session.all(QUERIES["findings_of_release"], release_id=release_id), list[FindingView])


async def _approvals(session: Session, release_id: str, *, with_reasons: bool) -> list[ApprovalView]:
    return [
        ApprovalView(
            account=row["name"],
            verdict=row["verdict"],
            reason=row["reason"] if with_reasons else None,
            created_at=rfc3339(row["created_ms"]),
        )
        for row in await session.all(QUERIES["approvals_of_release"], release_id=release_id)
    ]


async def _log(session: Session, release_id: str) -> LogView | None:
    entry = await session.one(QUERIES["log_position"], dedup_key=statement_key(release_id, Kind.INTENT))
    origin = await session.one(QUERIES["hub_state"], key="log_origin")
    return LogView(position=entry["position"], origin=origin["value"]) if entry and origin else None


def _stage(row: Row) -> StageView:
    reasons: Any = msgspec.json.decode(row["reasons"])
    return StageView(
        name=row["name"],
        state=row["state"],
        started_at=rfc3339_ms(row["started_ms"]),
        ended_at=rfc3339_ms(row["ended_ms"]) if row["ended_ms"] is not None else None,
        done_bytes=row["done_bytes"],
        total_bytes=row["total_bytes"],
        summary=row["summary"],
        reasons=reasons,
    )


def _withdrawal(row: Row | None) -> WithdrawalView | None:
    if row is None:
        return None
    return WithdrawalView(advisory=row["advisory_id"], reason=row["reason"], withdrawn_at=rfc3339(row["withdrawn_ms"]))
