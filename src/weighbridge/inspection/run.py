"""Inspects in the sandbox: a subprocess without network, with limits, that may crash without harm."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from weighbridge.checkpoint.region import ModelFile
from weighbridge.errors import InvalidInput, SandboxError
from weighbridge.inspection.finding import Inspection
from weighbridge.inspection.job import FileRequest
from weighbridge.sandbox import Limits, run_job


async def run_inspection(
    files: Sequence[ModelFile],
    *,
    timeout_s: float = 900,
    memory_bytes: int = 2 << 30,
    on_progress: Callable[[int], None] | None = None,
) -> Inspection:
    """Everything found in the files, read in a process of its own; ``isolation`` says what was in force there.

    Raises:
        SandboxError: the process crashed, or ran out of memory or time. Nothing is known of the files then.
        InvalidInput: a local path is not UTF-8.
    """
    try:
        request = msgspec.json.encode(
            [
                FileRequest(path=file.path, local_path=str(file.local_path.absolute()), size_bytes=file.size_bytes)
                for file in files
            ]
        )
    except UnicodeEncodeError as error:
        raise InvalidInput("could not inspect the files: a path is not UTF-8", hint="Rename the file.") from error
    limits = Limits(memory_bytes=memory_bytes, cpu_s=max(1, int(timeout_s)))
    reply, isolation = await run_job("inspect", request, limits=limits, timeout_s=timeout_s, on_progress=on_progress)
    try:
        inspection = msgspec.json.decode(reply, type=Inspection)
    except msgspec.MsgspecError as error:
        raise SandboxError(f"could not read the inspection: {error}") from error
    return msgspec.structs.replace(inspection, isolation=isolation)
