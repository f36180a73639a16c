"""A worker that kills itself after STEP (``-``: never): ``python -m tests.crash.drive_worker DATA STEP``."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from weighbridge import worker
from weighbridge.bootstrap import close_hub, open_hub
from weighbridge.settings import load_settings

TIMEOUT_S = 60


def killer(step: str):
    """An observer that ends this process, as a power cut would, after ``step``."""

    def observe(name: str) -> None:
        print("step", name, flush=True)
        if name == step:
            os.kill(os.getpid(), signal.SIGKILL)

    return observe


async def main(data: str, step: str) -> None:
    hub = await open_hub(load_settings({"data": data, "public_url": "http://hub.test"}))
    stop = asyncio.Event()
    working = asyncio.create_task(worker.run(hub, observer=killer(step), stop=stop))
    for _ in range(TIMEOUT_S * 10):
        await asyncio.sleep(0.1)
        if working.done() or await _is_done(hub):
            break
    else:
        print("timeout", flush=True)
    stop.set()
    await working
    await close_hub(hub)


async def _is_done(hub) -> bool:
    rows = await hub.db.all("SELECT r.state, s.kind FROM release r LEFT JOIN statement s"
                            " ON s.release_id = r.id AND s.kind = 'effect'")  # fmt: skip
    log = await hub.db.one("SELECT size, published_size FROM log_head")
    over = all(row["state"] in ("refused", "failed") or row["kind"] == "effect" for row in rows)
    stages = await hub.db.all("SELECT 1 AS one FROM stage WHERE state IN ('running', 'waiting')")
    withdrawn = await hub.db.all("SELECT 1 AS one FROM withdrawal WHERE statement_id IS NULL")
    return over and not stages and not withdrawn and log["size"] == log["published_size"]


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
