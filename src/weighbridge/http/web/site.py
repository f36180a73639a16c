"""The frame of every page: templates, headers, the look.

return page(request, reader, "home.html", title="Weighbridge", releases=releases)
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from typing import Any, cast

import jinja2
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weighbridge.accounts import Reader
from weighbridge.errors import EntryNotFound
from weighbridge.http.auth import hub_of
from weighbridge.http.web import words

POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "img-src 'self' data:",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""No script, no font, no frame, nothing from elsewhere."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Vary": "Cookie, Authorization",
    # What a page shows depends on the reader and can end at any moment: only the browser's own back button keeps it.
    "Cache-Control": "private, no-cache",
}
_STATIC = {"site.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml"}


def page(request: Request, reader: Reader, template: str, *, status: int = 200, **context: Any) -> Response:
    """The page of ``template`` for ``reader``."""
    html = (
        _templates()
        .get_template(template)
        .render(
            account=reader.account,
            status=status,
            hub_url=hub_of(request).settings.public_url,
            path=request.scope["path"],
            style=f"/static/site.css?v={_stamp('site.css')}",
            **context,
        )
    )
    return Response(html, status, HEADERS, "text/html; charset=utf-8")


async def static_file(request: Request) -> Response:
    """A style sheet or a picture of the pages. With its stamp in the query it never changes."""
    name = request.path_params["name"]
    if name not in _STATIC:
        raise EntryNotFound(f"could not find {request.url.path}: the pages have no such file")
    fresh = request.query_params.get("v") == _stamp(name)
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable" if fresh else "public, max-age=300",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    }
    return Response(_content(name), headers=headers, media_type=_STATIC[name])


async def icon(_request: Request) -> Response:
    """The picture that browsers ask for by themselves."""
    return Response(
        _content("icon.svg"), headers={"Cache-Control": "public, max-age=86400"}, media_type="image/svg+xml"
    )


def routes() -> list[Route]:
    """Routes of the frame itself."""
    return [Route("/static/{name}", static_file), Route("/favicon.ico", icon)]


@cache
def _content(name: str) -> bytes:
    return resources.files("weighbridge.http.web").joinpath("static", name).read_bytes()


@cache
def _stamp(name: str) -> str:
    return hashlib.sha256(_content(name)).hexdigest()[:12]


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("weighbridge.http.web", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = cast("dict[str, Any]", environment.filters)
    filters.update(ticked=words.ticked, size=words.size, count=words.count, when=words.when, took=words.took)
    shared = cast("dict[str, Any]", environment.globals)
    shared.update(
        dial_steps=words.dial_steps,
        release_look=words.release_look,
        stage_look=words.stage_look,
        stages=words.STAGES,
        weights_words=words.WEIGHTS_WORDS,
        inference_words=words.INFERENCE_WORDS,
    )
    return environment
