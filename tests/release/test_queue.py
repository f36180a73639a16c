from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from dbos import DBOSClient, WorkflowSerializationFormat

from tests.crash.test_workflow_crash import number, run_to_the_end
from tests.release.making import person, put, repo_of
from weighbridge.bootstrap import Hub
from weighbridge.errors import PreconditionFailed, WeighbridgeError, WithdrawnRelease
from weighbridge.release.queue import error_answer, error_from, json_serializer, queue_url


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.slow
async def test_the_worker_runs_nothing_that_the_queue_says(hub: Hub, tmp_path: Path) -> None:
    author = await person(hub, "alice")
    repo = await repo_of(hub, author)
    await put(hub, repo, author)
    await run_to_the_end(hub)  # makes DBOS's tables
    client = DBOSClient(system_database_url=queue_url(None, hub.settings.workflows_path))
    options = {
        "workflow_name": "release", "queue_name": "releases", "workflow_id": "bomb", "app_version": "1",
        "serialization_type": WorkflowSerializationFormat.NATIVE,
    }  # fmt: skip
    await client.enqueue_async(options, Bomb(tmp_path / "bang"))
    await put(hub, repo, author, weights="gated")
    await run_to_the_end(hub)
    assert await number(hub, "release WHERE state = 'released'") == 2
    assert not (tmp_path / "bang").exists()
    # Looked at here, where pickles are not refused, it goes off: so it was a real one.
    status = await (await client.retrieve_workflow_async("bomb")).get_status()
    await asyncio.to_thread(client.destroy)
    assert status.status == "ERROR"
    assert (tmp_path / "bang").exists()


@pytest.mark.parametrize("error", [PreconditionFailed("could not: x", hint="do y"), WeighbridgeError("z")])
def test_an_error_travels(error: WeighbridgeError) -> None:
    back = error_from(error_answer(error))
    assert (type(back), back.message, back.hint) == (type(error), error.message, error.hint)


def test_an_error_that_needs_more_than_words_arrives_as_words() -> None:
    back = error_from(error_answer(WithdrawnRelease("gone", advisory={"id": "x"})))
    assert (type(back), back.message) == (WeighbridgeError, "gone")
    assert type(error_from({"code": "annotations", "message": "m"})) is WeighbridgeError


def test_values_are_json() -> None:
    serializer = json_serializer()
    assert serializer.deserialize(serializer.serialize({"a": [1, None]})) == {"a": [1, None]}
    assert "no" in str(serializer.deserialize(serializer.serialize(ValueError("no"))))
    with pytest.raises(TypeError):
        serializer.serialize(object())
