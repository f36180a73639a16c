"""Reads a release from a hub as any reader may, and keeps none of the weights: each byte is hashed as it comes.

hub = HubReader("https://hub.example", token=None)
commit = hub.resolve("acme/m", "main")
held = hub.hash_release("acme/m", commit)
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, cast
from urllib.parse import quote, urljoin, urlsplit

import urllib3
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from weighbridge.cli.console import HubUnreachable
from weighbridge.cli.hub_client import CONNECT_TIMEOUT_S, MAX_ANSWER_BYTES, READ_TIMEOUT_S, cause_of, refusal
from weighbridge.evidence.held import MAX_PROOF_BYTES, PIECE_BYTES, Held, OnBytes, is_proof
from weighbridge.evidence.sums import MAX_FILES

ATTEMPTS = 5
"""At one file that breaks off; each goes on where the last one stopped."""
RETRIES = 2
MAX_REDIRECTS = 5
MAX_PAGES = 1000
THREADS = 2
TRUST_PATH = "/.well-known/weighbridge/trust_config.json"
_API = "/api/weighbridge/v1"


class Commit(NamedTuple):
    """A revision that the hub showed: its full id. ``repo`` is spelled as the hub spells it."""

    repo: str
    oid: str


class HubReader:
    """One hub, with a reader's token or none, for repos of one type. Safe to use from several threads."""

    def __init__(self, url: str, *, token: str | None, repo_type: str = "model") -> None:
        self.url = url.rstrip("/")
        self._token = token
        self._kind = f"{repo_type}s"
        self._prefix = "" if repo_type == "model" else f"/{repo_type}s"
        timeout = urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S)
        # A kept connection may be closed by the hub in the moment we use it again: a GET is then asked once more.
        retries = urllib3.Retry(
            total=RETRIES, connect=0, read=RETRIES, status=0, backoff_factor=0.1, respect_retry_after_header=False
        )
        self._pool = urllib3.PoolManager(retries=retries, timeout=timeout, maxsize=THREADS, blocksize=PIECE_BYTES)

    def trust(self) -> str:
        """The text of the trust file that the hub serves."""
        try:
            return self._get(TRUST_PATH).decode("utf-8")
        except UnicodeDecodeError as error:
            raise self._nonsense("its trust file is not text") from error

    def resolve(self, repo: str, revision: str) -> Commit:
        """The commit that a name stands for, for this reader.

        Raises:
            WeighbridgeError: the hub's refusal (hidden, withdrawn, no such revision).
        """
        info = self._object(f"/api/{self._kind}/{quote(repo)}/revision/{quote(revision, safe='')}")
        oid, name = info.get("sha"), info.get("id")
        if not isinstance(oid, str) or not isinstance(name, str) or name.lower() != repo.lower():
            raise self._nonsense("it does not say which commit this is")
        return Commit(repo=name, oid=oid)

    def releases(self, repo: str) -> list[dict[str, Any]]:
        """The releases that this reader may know of, newest first."""
        answer = self._object(f"{_API}/repos/{self._kind}/{quote(repo)}/releases?limit=200")
        found = answer.get("releases")
        if not isinstance(found, list):
            raise self._nonsense("it does not list the releases")
        return [cast(dict[str, Any], one) for one in cast(list[Any], found) if isinstance(one, dict)]

    def list_files(self, commit: Commit) -> list[tuple[str, int]]:
        """(path, size in bytes as the hub says) of each file of the commit."""
        found: list[tuple[str, int]] = []
        path: str | None = f"/api/{self._kind}/{quote(commit.repo)}/tree/{commit.oid}?recursive=true"
        for _ in range(MAX_PAGES):
            with self._open(path) as response:
                page = self._json(self._read(response))
                path = self._next(response)
            found += self._entries(page)
            if len(found) > MAX_FILES + 100:
                raise self._nonsense(f"it lists over {MAX_FILES} files")
            if path is None:
                return found
        raise self._nonsense("its list of files does not end")

    def hash_release(self, commit: Commit, *, on_bytes: OnBytes | None = None) -> Held:
        """Every file of the commit, hashed as it comes; only the proof is kept, in memory."""
        held = Held(sha256={}, size_bytes={}, proof={}, problems=())
        lock = threading.Lock()  # guards `held`

        def take(path: str) -> None:
            digest, kept, size_bytes = hashlib.sha256(), bytearray(), 0
            for piece in self._stream(commit, path):
                digest.update(piece)
                size_bytes += len(piece)
                if is_proof(path):
                    kept += piece
                    if len(kept) > MAX_PROOF_BYTES:
                        raise self._nonsense(f"{path} has over {MAX_PROOF_BYTES} bytes")
                if on_bytes:
                    on_bytes(len(piece))
            with lock:
                held.sha256[path] = digest.hexdigest()
                held.size_bytes[path] = size_bytes
                if is_proof(path):
                    held.proof[path] = bytes(kept)

        files = sorted(self.list_files(commit), key=lambda file: -file[1])
        with ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="read") as pool:
            waiting = [pool.submit(take, path) for path, _ in files]
            try:
                for one in waiting:
                    one.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return held

    def _stream(self, commit: Commit, path: str) -> Iterator[bytes]:
        """The file's bytes; a connection that breaks is taken up where it broke."""
        url = f"{self._prefix}/{quote(commit.repo)}/resolve/{commit.oid}/{quote(path)}"
        done = 0
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with self._open(url, start=done) as response:
                    if done and response.status != 206:
                        raise self._nonsense("it cannot go on in the middle of a file")
                    for piece in response.stream(PIECE_BYTES, decode_content=False):
                        done += len(piece)
                        yield piece
                return
            except (HTTPError, OSError) as error:
                if attempt == ATTEMPTS:
                    raise HubUnreachable(f"could not read {path} from {self.url}: {error}") from error

    def _get(self, path: str) -> bytes:
        with self._open(path) as response:
            return self._read(response)

    def _object(self, path: str) -> dict[str, Any]:
        value = self._json(self._get(path))
        if not isinstance(value, dict):
            raise self._nonsense("an answer is not a JSON object")
        return cast(dict[str, Any], value)

    def _json(self, data: bytes) -> Any:
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            raise self._nonsense("an answer is not JSON") from error

    def _open(self, path: str | None, *, start: int = 0) -> BaseHTTPResponse:
        """The answer to a GET, redirects followed; the token goes to the hub's own origin only.

        Raises:
            HubUnreachable: nobody answered.
            WeighbridgeError: the hub's refusal.
        """
        url = urljoin(f"{self.url}/", path or "")
        for _ in range(MAX_REDIRECTS):
            headers = {"Accept-Encoding": "identity", "User-Agent": "weighbridge-verify"}
            if self._token and _origin(url) == _origin(self.url):
                headers["Authorization"] = f"Bearer {self._token}"
            if start:
                headers["Range"] = f"bytes={start}-"
            try:
                response = self._pool.request("GET", url, headers=headers, redirect=False, preload_content=False)
            except (HTTPError, OSError) as error:
                raise HubUnreachable(f"could not reach the hub at {self.url}: {cause_of(error)}") from error
            location = response.headers.get("Location")
            if response.status < 300:
                return response
            if response.status >= 400 or location is None:
                with response:
                    raise refusal(response.status, response.headers, response.read(MAX_ANSWER_BYTES))
            response.close()
            url = urljoin(url, location)
        raise self._nonsense("it redirects in circles")

    def _read(self, response: BaseHTTPResponse) -> bytes:
        try:
            data = response.read(MAX_ANSWER_BYTES + 1)
        except (HTTPError, OSError) as error:
            raise HubUnreachable(f"could not reach the hub at {self.url}: {cause_of(error)}") from error
        if len(data) > MAX_ANSWER_BYTES:
            raise self._nonsense("an answer is too long")
        return data

    def _next(self, response: BaseHTTPResponse) -> str | None:
        """The next page, on the hub's own origin."""
        link = response.headers.get("Link", "")
        target, _, relation = link.partition(">")
        if not link or 'rel="next"' not in relation:
            return None
        url = urljoin(f"{self.url}/", target.lstrip(" <"))
        parts = urlsplit(url)
        # Behind a proxy the hub may name itself otherwise than we do: only path and query count.
        return f"{parts.path}?{parts.query}"

    def _entries(self, page: Any) -> list[tuple[str, int]]:
        if not isinstance(page, list):
            raise self._nonsense("a page of its files is not a list")
        found: list[tuple[str, int]] = []
        for entry in cast(list[Any], page):
            item = cast(dict[str, Any], entry) if isinstance(entry, dict) else {}
            path, size_bytes = item.get("path"), item.get("size")
            if item.get("type") == "file" and isinstance(path, str) and isinstance(size_bytes, int):
                found.append((path, size_bytes))
            elif item.get("type") != "directory":
                raise self._nonsense("an entry of its files is neither a file nor a folder")
        return found

    def _nonsense(self, what: str) -> HubUnreachable:
        return HubUnreachable(f"could not understand {self.url}: {what}")


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
