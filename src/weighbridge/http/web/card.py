"""A model card as HTML that may stand on the hub's own page: Markdown rendered, then sanitised.

    html = render_card(text, base="/acme/tiny/resolve/main/")

The card is an untrusted author's, and often holds HTML. markdown-it renders it, nh3 keeps an allow-list of what comes
out (no class, no style, no form, no comment), and the page's Content-Security-Policy stands behind it.
"""

from __future__ import annotations

import re
from collections import Counter
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

# An HTML parser opens each formatting element that was not closed again in every later paragraph (WHATWG HTML,
# "reconstruct the active formatting elements"): 36 KB of <b id=1><b id=2>…<p>x<p>x… took 4 s and 1.5 GB. At most three
# of the same name and attributes are kept ("Noah's Ark clause"), so here they get no attributes; those that the page
# does not show go. Deep nesting costs the square of its depth, so HTML that leaves many elements open is not let in.
_FORMATTING = re.compile(
    r"<(/?)(a|big|b|code|em|font|i|nobr|small|strike|strong|s|tt|u)(?=[\s/>])[^>]*>", re.IGNORECASE
)
_TAG = re.compile(r"<(/?)([a-z][a-z0-9]*)", re.IGNORECASE)
_VOID = {"br", "hr", "img", "input", "meta", "link", "wbr", "area", "base", "col", "embed", "source", "track"}
MAX_LEFT_OPEN = 40
MAX_TAGS = 40_000


def render_card(text: str, *, base: str) -> str:
    """Safe HTML of the Markdown ``text``. Headings start at level 2; relative links are under the path ``base``."""
    rendered = _tame(_rendered(text, html=True))
    if _is_costly(rendered):
        rendered = _rendered(text, html=False)
    return nh3.clean(
        rendered,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes=_SCHEMES,
        link_rel="nofollow noopener noreferrer",
        attribute_filter=lambda tag, name, value: _attribute(tag, name, value, base),
    )


def _rendered(text: str, *, html: bool) -> str:
    markdown = MarkdownIt("commonmark", {"html": html}).enable(["table", "strikethrough"])
    tokens = markdown.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + 1, 6)}"
        elif token.type == "th_open":
            token.attrSet("scope", "col")
    return markdown.renderer.render(tokens, markdown.options, {})


def _tame(html: str) -> str:
    end = html.rfind(">") + 1  # behind it nothing can match, and each "<b" would look through all of it
    return _FORMATTING.sub(_plain_formatting, html[:end]) + html[end:]


def _plain_formatting(found: re.Match[str]) -> str:
    slash, name = found[1], found[2].lower()
    if name == "a":  # opening one closes the one before, so they do not pile up
        return found[0]
    return f"<{slash}{name}>" if name in _TAGS else ""


def _is_costly(html: str) -> bool:
    opened: Counter[str] = Counter()
    tags = 0
    for found in _TAG.finditer(html):
        tags += 1
        opened[found[2].lower()] += -1 if found[1] else 1
    left_open = sum(count for name, count in opened.items() if count > 0 and name not in _VOID)
    return tags > MAX_TAGS or left_open > MAX_LEFT_OPEN


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
