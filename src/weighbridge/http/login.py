"""Logging in by name and password, with a brake on guessing. For the API's ``/login`` and the pages' form alike.

account = await log_in(request, name, password)      # NotAuthenticated, or TooManyAttempts (429)
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from starlette.requests import Request

from weighbridge.accounts import Account, check_password
from weighbridge.errors import NotAuthenticated
from weighbridge.http.auth import hub_of
from weighbridge.http.errors import TooManyAttempts

WINDOW_MS = 5 * 60 * 1000
MAX_FAILURES = 10
"""Wrong passwords for one name from one address within the window, before the next is not even looked at."""

MAX_KEPT = 10_000
CONCURRENT_CHECKS = 4
"""A check takes 64 MiB and tens of milliseconds of a core by design; more at once would be a way to stop the hub."""


class LoginBrake:
    """Counts failures by name and address. One an application; owned by the event loop's thread."""

    def __init__(self) -> None:
        self._failures: OrderedDict[tuple[str, str], tuple[int, int]] = OrderedDict()  # (count, window's start)
        self.checks = asyncio.Semaphore(CONCURRENT_CHECKS)

    def hold(self, key: tuple[str, str], *, now_ms: int) -> None:
        """Lets pass, unless there were too many failures.

        Raises:
            TooManyAttempts: with the seconds to wait.
        """
        count, since_ms = self._failures.get(key, (0, now_ms))
        left_ms = since_ms + WINDOW_MS - now_ms
        if count >= MAX_FAILURES and left_ms > 0:
            raise TooManyAttempts("could not log in: too many wrong passwords", retry_after_s=left_ms // 1000 + 1)

    def failed(self, key: tuple[str, str], *, now_ms: int) -> None:
        """Counts one failure; a window that is over starts anew."""
        count, since_ms = self._failures.pop(key, (0, now_ms))
        if now_ms - since_ms > WINDOW_MS:
            count, since_ms = 0, now_ms
        self._failures[key] = (count + 1, since_ms)
        if len(self._failures) > MAX_KEPT:
            self._failures.popitem(last=False)

    def passed(self, key: tuple[str, str]) -> None:
        """Forgets the failures of who now knew the password."""
        self._failures.pop(key, None)


async def log_in(request: Request, name: str, password: str) -> Account:
    """The account of that name and password.

    Raises:
        NotAuthenticated: one text for both a wrong name and a wrong password.
        TooManyAttempts: too many were wrong.
    """
    hub = hub_of(request)
    brake: LoginBrake = request.scope["weighbridge.logins"]
    key = (name.lower()[:96], request.client.host if request.client else "")
    brake.hold(key, now_ms=hub.clock())
    async with brake.checks:
        try:
            account = await check_password(hub.db, name, password)
        except NotAuthenticated:
            brake.failed(key, now_ms=hub.clock())
            raise
    brake.passed(key)
    return account
