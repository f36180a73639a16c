"""Talks to a hub's own API, as the person whose token the Hugging Face clients use too.

    client = HubClient(find_hub(None, os.environ), find_token(os.environ))
    release = client.json("GET", "/api/weighbridge/v1/repos/models/acme/tiny/releases/latest")

Every refusal of the hub is raised as the error that it was there.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast
from urllib.parse import quote, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from weighbridge import errors
from weighbridge.cli.console import HubUnreachable
from weighbridge.errors import InvalidInput, NotAuthenticated, WeighbridgeError

API = "/api/weighbridge/v1"
CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 120.0
MAX_ANSWER_BYTES = 64 << 20
GET_ATTEMPTS = 5
PIECE_BYTES = 1 << 20
MAX_REASON_CHARS = 1000


class RepoName(NamedTuple):
    """A repo as a person names it, and a release of it if they named one."""

    kind: str
    full_name: str
    release: str

    @property
    def path(self) -> str:
        """Where our API has this repo."""
        return f"{API}/repos/{self.kind}s/{quote(self.full_name)}"


class Answer(NamedTuple):
    """Status, headers and decoded JSON body (None when there is none)."""

    status: int
    headers: Mapping[str, str]
    body: Any


class HubClient:
    """One hub, one token. Safe to use from several threads."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self._token = token
        timeout = urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S)
        self._pool = urllib3.PoolManager(retries=False, timeout=timeout, maxsize=4, blocksize=PIECE_BYTES)

    def json(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON answer to a call.

        Raises:
            HubUnreachable: nobody answered, or not our API.
            WeighbridgeError: the hub's own refusal.
        """
        content = json.dumps(body).encode() if body is not None else None
        headers = {"Content-Type": "application/json"} if content is not None else {}
        for attempt in range(1, GET_ATTEMPTS + 1):
            try:
                return self.send(method, path, body=content, headers=headers).body
            except HubUnreachable:
                # A hub that restarts is back in seconds; only what changes nothing is asked again.
                if method != "GET" or attempt == GET_ATTEMPTS:
                    raise
                time.sleep(0.5 * attempt)
        raise AssertionError

    def send(
        self,
        method: str,
        path: str,
        *,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The answer to one request, sent once. ``body`` may be pieces, if ``Content-Length`` is among the headers.

        Raises:
            HubUnreachable: the connection failed or broke.
            WeighbridgeError: the hub's own refusal.
        """
        sent = {"Authorization": f"Bearer {self._token}", "Accept": "application/json", **(headers or {})}
        try:
            response = self._pool.request(
                method, self.url + path, body=body, headers=sent, redirect=False, preload_content=False
            )
            with response:
                data = response.read(MAX_ANSWER_BYTES + 1)
                response.drain_conn()
        except (HTTPError, OSError) as error:
            raise HubUnreachable(f"could not reach the hub at {self.url}: {cause_of(error)}") from error
        if response.status >= 400:
            raise refusal(response.status, response.headers, data)
        if response.status >= 300 or len(data) > MAX_ANSWER_BYTES:
            raise HubUnreachable(f"could not understand {self.url}: its answer is no answer of a Weighbridge hub")
        return Answer(response.status, response.headers, self._decode(data))

    def _decode(self, data: bytes) -> Any:
        if not data:
            return None
        try:
            return json.loads(data)
        except ValueError as error:
            raise HubUnreachable(f"could not understand {self.url}: its answer is not JSON") from error


def refusal(status: int, headers: Mapping[str, str], data: bytes) -> WeighbridgeError:
    """The hub's error, as the same error here. One that did not come from a hub of ours is ``HubUnreachable``."""
    name = headers.get("X-Error-Code", "")
    try:
        body: Any = json.loads(data) if data else {}
    except ValueError:
        body = {}
    said = cast("dict[str, Any]", body) if isinstance(body, dict) else {}
    message = str(said.get("error") or headers.get("X-Error-Message") or f"the hub answered {status}")
    hint = str(said.get("hint") or "")
    if status == 401 and name in ("", "NotAuthenticated"):
        return NotAuthenticated(f"could not log in: {message}", hint=hint)
    kind = errors.Conflict if name == "ChangedMeanwhile" else getattr(errors, name, None)
    if not (isinstance(kind, type) and issubclass(kind, WeighbridgeError)):
        return HubUnreachable(f"could not get an answer: {message} (HTTP {status})", hint=hint)
    if kind is errors.WithdrawnRelease:
        return _withdrawn(message, said.get("advisory"), hint)
    if kind is errors.Refused:
        return errors.Refused(message, missing=tuple(said.get("missing") or ()), hint=hint)
    return kind(message, hint=hint)


def _withdrawn(message: str, found: object, hint: str) -> errors.WithdrawnRelease:
    """The hub's words are those that other clients know, and say little; its advisory says what is gone and why."""
    advisory = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    summary, details = str(advisory.get("summary") or ""), str(advisory.get("details") or "")
    if not summary:
        return errors.WithdrawnRelease(message, advisory=advisory, hint=hint)
    words = f"could not read it: {summary[:200]}: {details[:MAX_REASON_CHARS]}".rstrip(": ")
    words = "".join(letter if letter.isprintable() else " " for letter in words)
    hint = f"Use none of it. The advisory is {str(advisory.get('id'))[:40]!r}."
    return errors.WithdrawnRelease(words, advisory=advisory, hint=hint)


def find_hub(flag: str | None, environ: Mapping[str, str]) -> str:
    """The hub's URL: the flag's, else ``WEIGHBRIDGE_HUB``, else ``HF_ENDPOINT``.

    Raises:
        InvalidInput: none is named, or it is not a URL.
    """
    url = flag or environ.get("WEIGHBRIDGE_HUB") or environ.get("HF_ENDPOINT") or ""
    if not url:
        raise InvalidInput(
            "could not tell which hub is meant", hint="Name it with --hub URL, or set WEIGHBRIDGE_HUB or HF_ENDPOINT."
        )
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise InvalidInput(f"could not use {url!r} as a hub: it must be a URL like http://127.0.0.1:8720")
    return url.rstrip("/")


def find_token(environ: Mapping[str, str]) -> str:
    """The token of the Hugging Face clients: ``HF_TOKEN``, else the file that ``hf auth login`` writes.

    Raises:
        NotAuthenticated: there is none.
    """
    text = environ.get("HF_TOKEN") or environ.get("HUGGING_FACE_HUB_TOKEN") or ""
    if not text.strip():
        try:
            text = token_path(environ).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            text = ""
    token = text.strip()
    if not token or not token.isascii() or not token.isprintable():
        raise NotAuthenticated(f"could not find a token: HF_TOKEN is not set and {token_path(environ)} holds none")
    return token


def token_path(environ: Mapping[str, str]) -> Path:
    """Where ``hf auth login`` keeps the token (huggingface_hub/constants.py)."""
    if path := environ.get("HF_TOKEN_PATH"):
        return Path(path).expanduser()
    return Path(environ.get("HF_HOME") or cache_home(environ) / "huggingface").expanduser() / "token"


def cache_home(environ: Mapping[str, str]) -> Path:
    """``$XDG_CACHE_HOME``, else ``~/.cache``."""
    return Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def connect(hub: str | None) -> HubClient:
    """A client of the hub and with the token that the environment names.

    Raises:
        InvalidInput, NotAuthenticated: one of them is not named.
    """
    return HubClient(find_hub(hub, os.environ), find_token(os.environ))


def parse_repo(text: str, kind: str) -> RepoName:
    """The repo of ``ns/name``, with a release when it ends in ``@N``.

    Raises:
        InvalidInput: it does not read like that.
    """
    name, at, release = text.partition("@")
    parts = name.split("/")
    if len(parts) != 2 or not all(parts) or (at and not (release.isdigit() or release == "latest")):
        raise InvalidInput(f"could not read {text!r} as a repo", hint="It reads namespace/name, or namespace/name@2.")
    return RepoName(kind, name, release or "latest")


def cause_of(error: BaseException) -> str:
    """Why a connection failed, in the words of the system, without urllib3's own around them."""
    reason = getattr(error, "reason", None)
    text = str(reason if isinstance(reason, BaseException) else error)
    # urllib3 puts the connection before the cause: "HTTPConnection(host='…', port=9): Failed to …".
    return re.sub(r"^(<.*>|\w+\(.*?\)): ", "", text) or type(error).__name__
