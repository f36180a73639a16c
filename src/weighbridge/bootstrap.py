"""Opens a hub: its database, its stores, its first admin. Every role (web, worker, admin commands, tests) starts here.

hub = await open_hub(load_settings({"data": folder}, os.environ))
token = await first_run(hub, None)      # shown once, or None when there is an admin already
await close_hub(hub)
"""

from __future__ import annotations

from dataclasses import dataclass

from weighbridge.accounts import (
    SCOPES,
    Account,
    Role,
    ScopeKind,
    create_token,
    create_user,
    find_account,
    grant_role,
    hub_roles,
)
from weighbridge.errors import Conflict, InvalidInput, StorageFull
from weighbridge.settings import Clock, Settings, system_clock
from weighbridge.storage.blobs import BlobStore, open_local_blobs, open_s3_blobs
from weighbridge.storage.connect import open_database
from weighbridge.storage.database import Database, Session, load_queries
from weighbridge.storage.objects import ObjectStore, open_local_objects, open_s3_objects

QUERIES = load_queries("weighbridge")
ADMIN_NAME = "admin"


@dataclass
class Hub:
    """What every part of a running hub is given. Nothing in it is a key."""

    settings: Settings
    db: Database
    blobs: BlobStore
    objects: ObjectStore
    clock: Clock


async def open_hub(settings: Settings, *, clock: Clock = system_clock) -> Hub:
    """A hub, migrated, with its stores open.

    Raises:
        InvalidInput: the data folder cannot be made or written.
        StorageError: the database cannot be reached.
    """
    make_folders(settings)
    db = await open_database(settings.database_url or settings.metadata_path)
    try:
        await db.migrate()
        blobs, objects = open_stores(settings)
    except BaseException:
        await db.close()
        raise
    return Hub(settings=settings, db=db, blobs=blobs, objects=objects, clock=clock)


async def close_hub(hub: Hub) -> None:
    """Gives the stores and every database connection back."""
    await hub.blobs.close()
    await hub.objects.close()
    await hub.db.close()


def make_folders(settings: Settings) -> None:
    """Makes the data folder and those inside it. Only the owner may enter it: it holds keys and hidden weights.

    Raises:
        InvalidInput: it cannot be made.
        StorageFull: there is no space.
    """
    try:
        settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (settings.incoming_dir, settings.keys_dir):
            folder.mkdir(exist_ok=True, mode=0o700)
        for folder in (settings.blobs_dir, settings.tlog_dir):
            folder.mkdir(exist_ok=True)
    except OSError as error:
        if error.errno == 28:
            raise StorageFull(f"could not make the data folder {settings.data}: {error.strerror}") from error
        raise InvalidInput(
            f"could not make the data folder {settings.data}: {error.strerror}",
            hint="Name a folder that this account may write with --data.",
        ) from error


def open_stores(settings: Settings) -> tuple[BlobStore, ObjectStore]:
    """The stores of file bytes and of the log's files: folders, or prefixes of one bucket."""
    if settings.s3_bucket is None:
        return open_local_blobs(settings.blobs_dir), open_local_objects(settings.tlog_dir)
    bucket, prefix = settings.s3_bucket, settings.s3_prefix.strip("/")
    endpoint, region = settings.s3_endpoint, settings.s3_region
    keys = {"access_key": settings.s3_access_key, "secret_key": settings.s3_secret_key}
    return (
        open_s3_blobs(bucket, f"{prefix}/blobs".lstrip("/"), endpoint=endpoint, region=region, **keys),
        open_s3_objects(bucket, f"{prefix}/tlog".lstrip("/"), endpoint=endpoint, region=region, **keys),
    )


async def first_run(hub: Hub, admin_token: str | None) -> str | None:
    """The first admin's token, when the hub had no admin yet; None when it had.

    With ``admin_token`` (automation) that text becomes a token of the account ``admin``, also at later starts, so that
    a changed setting takes effect; a text that was revoked stays revoked.
    """
    row = await hub.db.one(QUERIES["hub_admins"])
    is_first = row is None or not row["holders"]
    account = await _admin_account(hub, create=is_first)
    if account is None or (not is_first and admin_token is None):
        return None
    if is_first:
        await grant_role(hub.db, account_id=account.id, scope=ScopeKind.HUB, role=Role.ADMIN, now_ms=hub.clock())
    elif Role.ADMIN not in await hub_roles(hub.db, account.id):
        return None
    try:
        _, text = await create_token(
            hub.db, account_id=account.id, name="first admin", scopes=SCOPES, text=admin_token, now_ms=hub.clock()
        )
    except Conflict:
        return None
    return text if is_first else None


async def _admin_account(hub: Hub, *, create: bool) -> Account | None:
    account = await find_account(hub.db, ADMIN_NAME)
    if account is not None or not create:
        return account
    try:
        return await create_user(
            hub.db, name=ADMIN_NAME, policy=hub.settings.default_policy, full_name="Hub admin", now_ms=hub.clock()
        )
    except Conflict:
        # Another node of the same hub was quicker.
        return await find_account(hub.db, ADMIN_NAME)


async def read_state(db: Session, key: str) -> str | None:
    """A value that the hub keeps about itself (``trust_config``, ``worker_seen_ms``, …); None before it is set."""
    row = await db.one(QUERIES["hub_state"], key=key)
    return row["value"] if row else None


async def releases_by_state(db: Session) -> dict[str, int]:
    """How many releases are in each state; for the hub's keepers only, since it counts hidden ones."""
    return {row["state"]: row["releases"] for row in await db.all(QUERIES["releases_by_state"])}
