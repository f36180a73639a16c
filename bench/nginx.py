"""nginx with sendfile, the peer of downloads: Debian's own package."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from socket import create_connection, create_server

INSTALL = ["apt-get", "install", "-y", "-q", "--no-install-recommends", "nginx-light"]

CONFIG = """
{user}
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  default_type application/octet-stream;
  client_body_temp_path {folder}/body;
  server {{ listen 127.0.0.1:{port}; location / {{ root {root}; }} }}
}}
"""


def find() -> str:
    """The program; installed now where we may.

    Raises:
        SystemExit: it is not there and cannot be installed; says the command that does.
    """
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found:
        return found
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("installing nginx:", " ".join(INSTALL), flush=True)
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        done = subprocess.run(INSTALL, env=quiet, capture_output=True).returncode == 0
        if not done:
            subprocess.run(["apt-get", "update", "-q"], env=quiet, capture_output=True)
            subprocess.run(INSTALL, env=quiet, capture_output=True)
        found = shutil.which("nginx", path="/usr/sbin:/usr/bin")
        if found:
            return found
    raise SystemExit(f"nginx is not installed. As root: {' '.join(INSTALL)}")


@contextmanager
def serving(root: Path, folder: Path) -> Generator[tuple[str, int]]:
    """URL and process id of an nginx of our own over ``root``."""
    with create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    config.write_text(CONFIG.format(user=user, folder=folder, root=root, port=port))
    process = subprocess.Popen([find(), "-p", str(folder), "-c", str(config), "-e", str(folder / "start.log")])
    try:
        _wait(process, port)
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.wait(10)


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(200):
        if process.poll() is not None:
            raise RuntimeError(f"nginx ended with {process.returncode}")
        try:
            create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError("nginx did not listen")
