"""Dispatch of the Hugging Face paths, on the raw path: a revision comes quoted (``dev%2Fx``, ``refs%2Fpr%2F1``).

    /api/{models|datasets}/{ns}/{name}[/{verb}[/{revision}[/{path}]]]
    /[datasets/]{ns}/{name}/resolve/{revision}/{path}
    /api/{word}[/{word}]

One dictionary look-up by verb, instead of a regular expression a route: this is the hot path of the hub.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import unquote_to_bytes

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from weighbridge.bootstrap import Hub
from weighbridge.errors import InvalidInput, RepoNotFound
from weighbridge.http.auth import reader_of
from weighbridge.http.errors import MethodNotAllowed, NotImplementedHere, not_found

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
REPO_TYPES = {"models": "model", "datasets": "dataset"}
ABSENT_TYPES = frozenset({"spaces", "kernels", "buckets"})
"""Kinds of repo that the Hugging Face Hub has and this hub has not: answered 501, in words."""


@dataclass(frozen=True, slots=True)
class RepoCall:
    """One call about a repo, its path taken apart and unquoted."""

    request: Request
    hub: Hub
    repo_type: str
    """``model`` or ``dataset``."""
    full_name: str
    """As asked, in any case: ``ns/name``."""
    rest: tuple[str, ...]
    """Path segments after the verb: revision, then the parts of a file path."""


RepoHandler = Callable[[RepoCall], Awaitable[Response]]
WordHandler = Callable[[Request], Awaitable[Response]]
Bound = Callable[[Request], Awaitable[Response]]


class RawRoute(BaseRoute):
    """Matches the Hugging Face paths and nothing else.

    ``repo_verbs``: verb (``""`` for the repo itself) to method to handler. ``words``: ``whoami-v2``, ``repos/create``.
    """

    def __init__(
        self,
        hub: Hub,
        *,
        repo_verbs: Mapping[str, Mapping[str, RepoHandler]],
        words: Mapping[str, Mapping[str, WordHandler]],
        resolve: RepoHandler,
    ) -> None:
        self._hub = hub
        self._verbs = repo_verbs
        self._words = words
        self._resolve = {"GET": resolve}

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Full when the path is one of the Hugging Face Hub's API, or a ``resolve`` path."""
        if scope["type"] != "http":
            return Match.NONE, {}
        raw: bytes = scope["raw_path"]
        if raw.startswith(b"/api/"):
            return self._match_api(raw[5:])
        return self._match_resolve(raw) if b"/resolve/" in raw else (Match.NONE, {})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Runs the handler that ``matches`` found."""
        find: Callable[[Request], Awaitable[Response]] = scope["weighbridge.handler"]
        response = await find(Request(scope, receive, send))
        await response(scope, receive, send)

    def _match_api(self, raw: bytes) -> tuple[Match, Scope]:
        parts = raw.split(b"/")
        head = parts[0].decode("latin-1")
        if parts[-1] == b"":
            raw, parts = raw[:-1], parts[:-1]
        if head in REPO_TYPES and len(parts) > 1:
            return Match.FULL, {"weighbridge.handler": self._repo_handler(head, parts[1:])}
        if head in ABSENT_TYPES:
            return Match.FULL, {"weighbridge.handler": _absent_type(head)}
        words = self._words.get(raw.decode("latin-1")) or self._words.get(head + "/*")
        if words is None:
            return Match.NONE, {}

        async def bound(request: Request) -> Response:
            return await by_method(words, request)(request)

        return Match.FULL, {"weighbridge.handler": bound}

    def _match_resolve(self, raw: bytes) -> tuple[Match, Scope]:
        parts = raw[1:].split(b"/")
        head = parts[0].decode("latin-1")
        if head in ABSENT_TYPES:
            return Match.FULL, {"weighbridge.handler": _absent_type(head)}
        kind = "datasets" if head == "datasets" else "models"
        if head == "datasets":
            parts = parts[1:]
        if len(parts) > 3 and parts[2] == b"resolve":
            return Match.FULL, {"weighbridge.handler": self._bind(self._resolve, kind, parts[:2], parts[3:])}
        if len(parts) > 2 and parts[1] == b"resolve":
            return Match.FULL, {"weighbridge.handler": _one_segment(parts[0])}
        return Match.NONE, {}

    def _repo_handler(self, kind: str, parts: list[bytes]) -> Bound:
        if len(parts) < 2:
            return _one_segment(parts[0])
        verb = parts[2].decode("latin-1") if len(parts) > 2 else ""
        methods = self._verbs.get(verb)
        if methods is not None:
            return self._bind(methods, kind, parts[:2], parts[3:])
        if parts[1].decode("latin-1") in self._verbs:
            return _one_segment(parts[0])
        return _unserved

    def _bind(self, methods: Mapping[str, RepoHandler], kind: str, name: list[bytes], rest: list[bytes]) -> Bound:
        async def bound(request: Request) -> Response:
            handler = by_method(methods, request)
            namespace, short = (plain(part) for part in name)
            call = RepoCall(
                request=request,
                hub=self._hub,
                repo_type=REPO_TYPES[kind],
                full_name=f"{namespace}/{short}",
                rest=tuple(plain(part) for part in rest),
            )
            return await handler(call)

        return bound


def by_method(
    methods: Mapping[str, Callable[..., Awaitable[Response]]], request: Request
) -> Callable[..., Awaitable[Response]]:
    """The handler for the request's method; HEAD is answered by GET's.

    Raises:
        MethodNotAllowed: this path has no such method.
    """
    handler = methods.get(request.method) or (methods.get("GET") if request.method == "HEAD" else None)
    if handler is None:
        allow = ", ".join(sorted({*methods, *(("HEAD",) if "GET" in methods else ())}))
        raise MethodNotAllowed(f"could not answer: this path takes {allow}, not {request.method}", allow=allow)
    return handler


def plain(part: bytes) -> str:
    """A path segment, unquoted.

    Raises:
        InvalidInput: it is not UTF-8, or holds a control character; no name of this hub does.
    """
    try:
        text = (unquote_to_bytes(part) if b"%" in part else part).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput("could not read the path: it is not UTF-8") from error
    return printable(text)


def printable(text: str) -> str:
    """``text`` itself.

    Raises:
        InvalidInput: it holds a control character (NUL cannot even be asked of PostgreSQL).
    """
    if _CONTROL.search(text):
        raise InvalidInput("could not read the request: it holds control characters")
    return text


def no_such_repo(full_name: str) -> RepoNotFound:
    """The one error for a repo that is absent or hidden: made of what was asked, and of nothing else."""
    return RepoNotFound(
        f"could not find {full_name}: no such repo",
        hint="Check the name and the repo type; if the repo is private, use a token that may read it.",
    )


def _one_segment(name: bytes) -> Bound:
    async def bound(request: Request) -> NoReturn:
        await reader_of(request)
        raise no_such_repo(plain(name))

    return bound


def _absent_type(kind: str) -> Bound:
    async def bound(_: Request) -> NoReturn:
        raise NotImplementedHere(
            f"could not answer: this hub has no {kind}",
            hint="It keeps models and datasets; use another hub for the rest.",
        )

    return bound


async def _unserved(request: Request) -> NoReturn:
    raise not_found(request)
