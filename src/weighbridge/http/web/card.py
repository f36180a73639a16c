"""A model card as HTML that may stand on the hub's own page: Markdown rendered, then sanitised.

    html = render_card(text, base="/acme/tiny/resolve/main/")

The card is an untrusted author's, and often holds HTML. markdown-it renders it, nh3 keeps an allow-list of what comes
out (no class, no style, no form, no comment), and the page's Content-Security-Policy stands behind it.
"""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import nh3
from markdown_it import MarkdownIt

MAX_CARD_BYTES = 256 * 1024
"""Longer cards are cut: rendering is on the path of a page view."""

_TAGS = {
    "a", "blockquote", "br", "code", "dd", "del", "details", "div", "dl", "dt", "em", "h2", "h3", "h4", "h5", "h6",
    "hr", "img", "li", "ol", "p", "pre", "s", "span", "strong", "sub", "summary", "sup", "table", "tbody", "td", "th",
    "thead", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES = {"a": {"href", "title"}, "img": {"src", "alt", "title"}, "ol": {"start"}, "th": {"scope"}}
_SCHEMES = {"http", "https", "mailto"}


def render_card(text: str, *, base: str) -> str:
    """Safe HTML of the Markdown ``text``. Headings start at level 2; relative links are under the path ``base``."""
    markdown = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    tokens = markdown.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + 1, 6)}"
        elif token.type == "th_open":
            token.attrSet("scope", "col")
    rendered = markdown.renderer.render(tokens, markdown.options, {})
    return nh3.clean(
        rendered,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes=_SCHEMES,
        link_rel="nofollow noopener noreferrer",
        attribute_filter=lambda tag, name, value: _attribute(tag, name, value, base),
    )


def body_of(text: str) -> str:
    """``text`` without its YAML front matter."""
    lines = text.split("\n")
    if lines[0].strip() != "---":
        return text
    for place, line in enumerate(lines[1:], start=1):
        if line.strip() == "---":
            return "\n".join(lines[place + 1 :])
    return text


def _attribute(tag: str, name: str, value: str, base: str) -> str | None:
    if name not in ("href", "src") or value.startswith("#"):
        return value
    try:
        parts = urlsplit(value)
    except ValueError:
        return None
    if parts.scheme or parts.netloc:
        # A picture from elsewhere would tell its server who reads this page; the CSP blocks it anyway.
        return None if tag == "img" else value
    return urljoin(base, value)
