"""The way from the web process to the workers: a durable queue in DBOS's own tables.

    queue = ReleaseQueue(queue_url(settings.database_url, settings.workflows_path))
    await queue.release(row["id"])

What is put in survives a crash of either side. A release that could not be put in (no worker ever ran) is found by the
worker in its table. Values travel as JSON, never as pickles: who can write the queue must not be able to run code where
the keys are.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec

from weighbridge import errors
from weighbridge.errors import StorageError, Unavailable, WeighbridgeError
from weighbridge.release.approval import ApprovalOrder
from weighbridge.release.names import APPROVAL_QUEUE, RELEASE_QUEUE
from weighbridge.release.sqlite_clock import teach_unixepoch

if TYPE_CHECKING:
    from dbos import DBOSClient

APP_NAME = "weighbridge"
APP_VERSION = "1"
"""Pinned: a release that waits at the gate for weeks must be resumed by a newer worker. Raise it only together with a
way to carry over what is under way, when the order of the workflow's steps changes."""
ANSWER_TIMEOUT_S = 30.0
FIRST_WORKER_TIMEOUT_S = 15.0
POLL_S = 0.05
_log = logging.getLogger(__name__)


class ReleaseQueue:
    """Enqueues. Cheap to make: DBOS is imported and its tables are opened at the first use, on a thread."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: DBOSClient | None = None
        self._opening = asyncio.Lock()

    async def release(self, release_id: str) -> None:
        """Hands a release to the workers; again, it changes nothing."""
        try:
            await self._enqueue("release", RELEASE_QUEUE, release_id, release_id)
        except StorageError as error:
            _log.warning("release %s is not queued yet, the worker will find it: %s", release_id, error)

    async def withdraw(self, release_id: str) -> None:
        """Hands a withdrawal to the workers, to sign and log it; again, it changes nothing."""
        try:
            await self._enqueue("withdraw", APPROVAL_QUEUE, f"withdraw-{release_id}", release_id)
        except StorageError as error:
            _log.warning("withdrawal of %s is not queued yet, the worker will find it: %s", release_id, error)

    async def approve(self, order: ApprovalOrder) -> None:
        """Returns once a worker has signed this approval.

        Raises:
            Unavailable: none did in time.
            WeighbridgeError: what the worker refused it for.
        """
        args = msgspec.to_builtins(order)
        workflow_id = f"approve-{order.release_id}-{order.account_id}-{time.time_ns()}"
        handle = await self._enqueue("approve", APPROVAL_QUEUE, workflow_id, args)
        try:
            answer = await asyncio.wait_for(handle.get_result(polling_interval_sec=POLL_S), ANSWER_TIMEOUT_S)
        except TimeoutError as error:
            raise Unavailable(
                "could not sign the approval yet: no worker answered; it will be signed when one does",
                hint="Look at the release in a while, and tell the people who run this hub.",
            ) from error
        if answer:
            raise error_from(cast("dict[str, Any]", answer))

    async def close(self) -> None:
        """Gives the connections back."""
        client, self._client = self._client, None
        if client is not None:
            await asyncio.to_thread(client.destroy)

    async def _enqueue(self, workflow: str, queue: str, workflow_id: str, *args: Any) -> Any:
        client = await self._open()
        options = {
            "workflow_name": workflow, "queue_name": queue, "workflow_id": workflow_id, "app_version": APP_VERSION,
        }  # fmt: skip
        try:
            return await client.enqueue_async(cast("Any", options), *args)
        except Exception as error:  # whatever its database raises, it means the same to who asks
            raise Unavailable(f"could not queue the {workflow}: {error}") from error

    async def _open(self) -> DBOSClient:
        async with self._opening:
            deadline = time.monotonic() + FIRST_WORKER_TIMEOUT_S
            while self._client is None:
                try:
                    self._client = await asyncio.to_thread(_connect, self._url)
                except Exception as error:  # tables that are not there yet, a database that is not up yet
                    if time.monotonic() > deadline:
                        raise Unavailable(f"could not open the queue: {error}", hint="Is a worker running?") from error
                    await asyncio.sleep(0.2)
            return self._client


def queue_url(database_url: str | None, workflows_path: Path) -> str:
    """Where DBOS keeps its tables: the PostgreSQL that the hub has, else the SQLite file."""
    return database_url if database_url is not None else f"sqlite:///{workflows_path}"


def error_answer(error: WeighbridgeError) -> dict[str, Any]:
    """An error as it travels back through the queue."""
    return {"code": type(error).__name__, "message": error.message, "hint": error.diagnostics()}


def error_from(answer: dict[str, Any]) -> WeighbridgeError:
    """The error that travelled."""
    kind = getattr(errors, str(answer.get("code")), WeighbridgeError)
    if not (isinstance(kind, type) and issubclass(kind, WeighbridgeError)):
        kind = WeighbridgeError
    try:
        return kind(str(answer.get("message")), hint=str(answer.get("hint", "")))
    except TypeError:
        return WeighbridgeError(str(answer.get("message")), hint=str(answer.get("hint", "")))


def json_serializer() -> Any:
    """How DBOS writes values down, on both sides."""
    from dbos import Serializer

    class JsonSerializer(Serializer):
        """JSON; an exception becomes its words."""

        def serialize(self, data: Any) -> str:
            if isinstance(data, BaseException):
                data = {"__error__": f"{type(data).__name__}: {data}"}
            return json.dumps(data)

        def deserialize(self, serialized_data: str) -> Any:
            data: Any = json.loads(serialized_data)
            if isinstance(data, dict):
                fields = cast("dict[str, Any]", data)
                return StorageError(str(fields["__error__"])) if "__error__" in fields else fields
            return data

        def name(self) -> str:
            return "weighbridge_json"

    return JsonSerializer()


def refuse_pickles() -> None:
    """From now on this process unpickles nothing for DBOS, which else does so for each row that says it is a pickle."""
    from dbos import _serialization  # pyright: ignore[reportPrivateUsage]

    def refuse(serialized_data: str) -> Any:
        raise StorageError(f"could not read the queue: a value of {len(serialized_data)} characters is a pickle")

    _serialization.DBOSDefaultSerializer.deserialize = refuse


def _connect(url: str) -> DBOSClient:
    from dbos import DBOSClient

    logging.getLogger("dbos").setLevel(logging.WARNING)
    teach_unixepoch()
    client = DBOSClient(
        system_database_url=url, application_name=APP_NAME, serializer=json_serializer(), retry_connection_errors=False
    )
    try:
        client._sys_db.verify_migrations()  # pyright: ignore[reportPrivateUsage]
    except BaseException:
        client.destroy()
        raise
    return client
