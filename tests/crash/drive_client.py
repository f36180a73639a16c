"""A client that kills itself at a byte: ``python -m tests.crash.drive_client DIR NS/NAME BYTES``."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from weighbridge.cli.hub_client import connect, parse_repo
from weighbridge.cli.releasing.folder import walk
from weighbridge.cli.releasing.memory import Memory
from weighbridge.cli.releasing.sending import Sender


def main(folder: str, repo: str, stop_at: int) -> None:
    done = 0

    def count(_: object, size_bytes: int) -> None:
        nonlocal done
        done += size_bytes
        if done >= stop_at:
            os.kill(os.getpid(), signal.SIGKILL)

    sender = Sender(connect(None), parse_repo(repo, "model").path, Memory.open(os.environ), on_bytes=count)
    sender.send_all(walk(Path(folder)).files)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
