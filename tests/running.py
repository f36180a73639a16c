"""A hub as a real process, for tests that need the whole of it."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import urllib3

from weighbridge.accounts import (
    Role,
    ScopeKind,
    create_organisation,
    create_token,
    create_user,
    find_account,
    grant_role,
)
from weighbridge.bootstrap import Hub, close_hub, open_hub
from weighbridge.settings import load_settings

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 60

T = TypeVar("T")


class RunningHub:
    """`weighbridge serve` on a data folder and a free port, with its admin's token."""

    def __init__(self, data: Path, settings: Mapping[str, object]) -> None:
        self.data = data
        self.admin_token = "admin-" + secrets.token_hex(16)
        self.url = ""
        self.log_path = data.parent / f"{data.name}.log"
        self._settings = dict(settings)
        self._process: subprocess.Popen[bytes] | None = None
        self._http = urllib3.PoolManager(retries=False)

    @property
    def pid(self) -> int:
        """Process id of the web process."""
        assert self._process is not None
        return self._process.pid

    @property
    def worker_pid(self) -> int | None:
        """Process id of the worker that `serve` started first."""
        return json.loads((self.data / "hub.json").read_text())["worker_pid"]

    @property
    def log(self) -> str:
        """What it wrote so far, standard output and error together."""
        return self.log_path.read_text("utf-8", "replace")

    def start(self, *, wait_ready: bool = True) -> None:
        """Starts it; returns when `/readyz` says 200 (``wait_ready``), or when `/healthz` does."""
        settings = {"host": "127.0.0.1", "port": 0, "log_format": "text", **self._settings}
        env = {name: value for name, value in os.environ.items() if not name.startswith("WEIGHBRIDGE_")}
        env.update({f"WEIGHBRIDGE_{name.upper()}": str(value) for name, value in settings.items()})
        env.setdefault("WEIGHBRIDGE_ADMIN_TOKEN", self.admin_token)
        self.admin_token = env["WEIGHBRIDGE_ADMIN_TOKEN"]
        command = [sys.executable, "-m", "weighbridge.cli.main", "serve", "--data", str(self.data)]
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._wait("/readyz" if wait_ready else "/healthz")

    def stop(self, number: int = signal.SIGTERM) -> str:
        """Stops it as an operator would; gives what went wrong in words, empty when nothing did."""
        process = self._process
        if process is None:
            return ""
        self._process = None
        self._http.clear()
        if process.poll() is None:
            process.send_signal(number)
        try:
            code = process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return f"serve did not stop in {STOP_TIMEOUT_S} s:\n{self.log[-4000:]}"
        return "" if code == 0 or number == signal.SIGKILL else f"serve ended with {code}:\n{self.log[-4000:]}"

    def get(
        self, path: str, token: str | None = None, *, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> urllib3.BaseHTTPResponse:
        """The answer to one request, redirects not followed."""
        sent = dict(headers or {})
        if token:
            sent["Authorization"] = f"Bearer {token}"
        return self._http.request(method, self.url + path, headers=sent, redirect=False)

    def send(self, method: str, path: str, body: Any, token: str | None = None) -> urllib3.BaseHTTPResponse:
        """The answer to one request with a JSON body."""
        sent = {"Authorization": f"Bearer {token}"} if token else {}
        return self._http.request(method, self.url + path, headers=sent, json=body, redirect=False)

    def user(self, name: str, scopes: str = "read write approve", roles: Iterable[str] = ()) -> str:
        """A token of the account ``name``, made now if there is none; ``roles`` are granted at the hub."""

        async def make(hub: Hub) -> str:
            account = await find_account(hub.db, name) or await create_user(
                hub.db, name=name, policy=hub.settings.default_policy, now_ms=hub.clock()
            )
            for role in roles:
                await grant_role(
                    hub.db, account_id=account.id, scope=ScopeKind.HUB, role=Role(role), now_ms=hub.clock()
                )
            _, text = await create_token(
                hub.db, account_id=account.id, name="test", scopes=scopes.split(), now_ms=hub.clock()
            )
            return text

        return self.inside(make)

    def organisation(self, name: str, members: Mapping[str, str | Iterable[str]], policy: str | None = None) -> None:
        """An organisation, and its members' role or roles; the accounts must be there."""

        async def make(hub: Hub) -> None:
            found = await create_organisation(
                hub.db, name=name, policy=policy or hub.settings.default_policy, now_ms=hub.clock()
            )
            for member, given in members.items():
                account = await find_account(hub.db, member)
                assert account is not None, f"no account {member}"
                for role in (given,) if isinstance(given, str) else given:
                    await grant_role(
                        hub.db,
                        account_id=account.id,
                        scope=ScopeKind.ORGANISATION,
                        scope_id=found.id,
                        role=Role(role),
                        now_ms=hub.clock(),
                    )

        self.inside(make)

    def inside(self, work: Callable[[Hub], Awaitable[T]]) -> T:
        """What ``work`` gives when run on this hub's own stores, in another thread and loop than the test's."""
        given = {name: value for name, value in self._settings.items() if name != "port"}
        flags = {"public_url": self.url, **given, "data": self.data}

        async def run() -> T:
            hub = await open_hub(load_settings(flags))
            try:
                return await work(hub)
            finally:
                await close_hub(hub)

        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, run()).result()

    def _wait(self, path: str) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            assert self._process is not None
            if self._process.poll() is not None:
                raise AssertionError(f"serve ended with {self._process.returncode}:\n{self.log[-4000:]}")
            try:
                found = json.loads((self.data / "hub.json").read_text())
                # A file of the process before this one may still lie there after a kill.
                if found["pid"] == self._process.pid:
                    self.url = f"http://{found['host']}:{found['port']}"
                    if self.get(path).status == 200:
                        return
            except (OSError, ValueError, urllib3.exceptions.HTTPError):
                pass
            time.sleep(0.02)
        said = self.get("/readyz").data.decode() if self.url else ""
        raise AssertionError(f"serve was not ready in {START_TIMEOUT_S} s: {said}\n{self.log[-4000:]}")
