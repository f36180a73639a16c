"""The demo's hub: the real `weighbridge serve` in a process of its own, and its people, made by its API.

hub = HubProcess(data=folder, log=log, admin_token=token, port=0)
hub.start()
token = hub.token_of("ada", scopes=("read", "approve"))
hub.stop()
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import urllib3

from weighbridge.demo.failed import DemoFailed

READY_S = 60
STOP_S = 30
_TAIL_CHARS = 4000
_OK = (200, 201, 204)
_EXISTS = (409,)


class HubProcess:
    """One `weighbridge serve`. ``url`` is known once it is started."""

    def __init__(self, *, data: Path, log: Path, admin_token: str, port: int) -> None:
        self.data = data
        self.url = ""
        self._log = log
        self._admin_token = admin_token
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        self._http = urllib3.PoolManager(retries=False, timeout=30)

    def start(self) -> None:
        """Starts it, and returns when it is ready.

        Raises:
            DemoFailed: it ended, or was not ready in time.
        """
        command = [sys.executable, "-m", "weighbridge.cli.main", "serve", "--data", str(self.data)]
        command += ["--host", "127.0.0.1", "--port", str(self._port), "--log-format", "text"]
        env = {**os.environ, "WEIGHBRIDGE_ADMIN_TOKEN": self._admin_token}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + READY_S
        while not self._is_ready():
            if self._process.poll() is not None:
                raise DemoFailed(f"could not start the hub: it ended with exit code {self._process.returncode}")
            if time.monotonic() > deadline:
                raise DemoFailed(f"could not start the hub: it was not ready in {READY_S} s")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stops it as an operator would; does nothing when it is not running.

        Raises:
            DemoFailed: it did not end by itself, or not with exit code 0.
        """
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            code = process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise DemoFailed(f"could not stop the hub: it was still there after {STOP_S} s, and was killed") from None
        if code != 0:
            raise DemoFailed(f"could not stop the hub: it ended with exit code {code}")

    def wait(self) -> None:
        """Returns when the hub has ended by itself."""
        if self._process is not None:
            self._process.wait()

    def log_tail(self) -> str:
        """The end of what the hub logged."""
        try:
            return self._log.read_text("utf-8", "replace")[-_TAIL_CHARS:]
        except FileNotFoundError:
            return ""

    def call(self, method: str, path: str, body: Any = None, *, passable: tuple[int, ...] = ()) -> Any:
        """The JSON answer of the hub to its admin; None when there is none, or it refused with a ``passable`` status.

        Raises:
            DemoFailed: any other refusal.
        """
        headers = {"Authorization": f"Bearer {self._admin_token}"}
        answer = self._http.request(method, self.url + path, json=body, headers=headers)
        if answer.status in passable:
            return None
        if answer.status not in _OK:
            said = answer.data.decode("utf-8", "replace")[:500]
            raise DemoFailed(f"could not prepare the hub: {method} {path} gave {answer.status}: {said}")
        return json.loads(answer.data) if answer.data else None

    def add_people(self, names: list[str], *, organisation: str, policy: str) -> None:
        """Accounts named ``names``, and an ``organisation`` whose releases ``policy`` decides."""
        for name in names:
            self.call("POST", "/api/weighbridge/v1/accounts", {"name": name}, passable=_EXISTS)
        wish = {"name": organisation, "kind": "organisation", "policy": policy}
        self.call("POST", "/api/weighbridge/v1/accounts", wish, passable=_EXISTS)

    def add_member(self, organisation: str, account: str, *, role: str) -> None:
        """Gives ``account`` a ``role`` in ``organisation``."""
        self.call("PUT", f"/api/weighbridge/v1/organisations/{organisation}/members/{account}", {"role": role})

    def token_of(self, account: str, *, scopes: tuple[str, ...]) -> str:
        """A new token of ``account``, good for a day."""
        wish = {"name": "demo", "scopes": list(scopes), "expires_in_s": 86400}
        return str(self.call("POST", f"/api/weighbridge/v1/accounts/{account}/tokens", wish)["token"])

    def trust_file(self, path: Path) -> None:
        """Writes the hub's trust file to ``path``."""
        answer = self._http.request("GET", f"{self.url}/.well-known/weighbridge/trust_config.json")
        if answer.status != 200:
            raise DemoFailed(f"could not get the hub's trust file: it answered {answer.status}")
        path.write_bytes(answer.data)

    def _is_ready(self) -> bool:
        try:
            said = json.loads((self.data / "hub.json").read_text("utf-8"))
            # The file of an earlier run may lie there still, if that one was killed.
            if self._process is None or said["pid"] != self._process.pid:
                return False
            self.url = said["url"]
            return self._http.request("GET", f"{self.url}/readyz").status == 200
        except (OSError, ValueError, KeyError, urllib3.exceptions.HTTPError):
            return False
