from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.http.web.card import body_of, render_card

BASE = "/acme/tiny/resolve/main/"
HARMLESS = {
    "a", "blockquote", "br", "code", "dd", "del", "details", "div", "dl", "dt", "em", "h2", "h3", "h4", "h5", "h6",
    "hr", "img", "li", "ol", "p", "pre", "s", "span", "strong", "sub", "summary", "sup", "table", "tbody", "td", "th",
    "thead", "tr", "ul",
}  # fmt: skip


class Tags(HTMLParser):
    """Every tag and attribute of some HTML."""

    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def test_a_card_is_rendered_with_headings_below_the_pages_own():
    html = render_card("# Tiny\n\nSome *text*.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n", base=BASE)
    assert "<h2>Tiny</h2>" in html
    assert "<em>text</em>" in html
    assert "<td>2</td>" in html
    assert '<th scope="col">a</th>' in html


def test_links_and_pictures_of_the_repo_lead_to_its_files():
    html = render_card("[licence](LICENSE) ![plot](images/loss.png) [top](#use)", base=BASE)
    tags = Tags(html).found
    assert ("img", {"src": BASE + "images/loss.png", "alt": "plot"}) in tags
    assert [attrs["href"] for tag, attrs in tags if tag == "a"] == [BASE + "LICENSE", "#use"]


def test_a_picture_from_elsewhere_is_not_asked_for():
    tags = Tags(render_card("![beacon](https://elsewhere.example/pixel.png)", base=BASE)).found
    assert [attrs for tag, attrs in tags if tag == "img"] == [{"alt": "beacon"}]


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt&colon;alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x](vbscript:x)",
        "![x](javascript:alert(1))",
        '<a href="x" style="position:fixed">x</a>',
        "<svg><script>1</script></svg>",
        "<iframe src=//evil></iframe>",
        "[x](//evil.example/x)\n<form action=/logout method=post><button>x</button></form>",
        "<style>body{display:none}</style>",
        "[x](<java\tscript:alert(1)>)",
    ],
)
def test_nothing_that_runs_or_restyles_the_page_gets_through(text):
    for tag, attrs in Tags(render_card(text, base=BASE)).found:
        assert tag in HARMLESS
        assert set(attrs) <= {"href", "src", "alt", "title", "rel", "start", "scope"}
        for name in ("href", "src"):
            assert not attrs.get(name, "").strip().lower().startswith(("javascript", "data", "vbscript"))


def test_html_of_a_card_is_kept_as_far_as_it_is_harmless():
    text = "<div align=center><b>big</b> <sub>small</sub></div>\n<!-- a note -->\n\n</div></main><h1>Over</h1>\n"
    html = render_card(text, base=BASE)
    assert html.startswith("<div>big <sub>small</sub></div>")
    assert "a note" not in html
    assert "main" not in html
    assert html.count("<div") == html.count("</div")


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=400))
def test_any_text_gives_harmless_html(text):
    assert {tag for tag, _ in Tags(render_card(text, base=BASE)).found} <= HARMLESS


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("---\nlicense: mit\n---\n# Tiny\n", "# Tiny\n"),
        ("# Tiny\n", "# Tiny\n"),
        ("---\nnever closed\n", "---\nnever closed\n"),
        ("---\r\nlicense: mit\r\n---\r\n# Tiny\r\n", "# Tiny\r\n"),
        ("", ""),
    ],
)
def test_the_front_matter_is_not_part_of_the_text(text, body):
    assert body_of(text) == body


def test_formatting_that_is_never_closed_does_not_multiply():
    text = "<p>" + "".join(f"<em id={i}>" for i in range(300)) + "<p>x" * 300
    assert len(render_card(text, base=BASE)) < 20 * len(text)
    half_closed = "".join(f"<em id={i}><table><tr><td></em></td></tr></table>" for i in range(300)) + "\n\nx" * 300
    assert len(render_card(half_closed, base=BASE)) < 20 * len(half_closed)


def test_html_that_leaves_its_elements_open_is_shown_as_text():
    html = render_card("# Tiny\n\n" + "<div>" * 1000, base=BASE)
    assert "<h2>Tiny</h2>" in html and "&lt;div&gt;" in html
    assert not [tag for tag, _ in Tags(html).found if tag == "div"]


def test_sloppy_html_is_still_html():
    html = render_card("<div align=center><p>a<p>b<br><STRONG class=x>c</STRONG></div>\n\n<em>d</em>\n", base=BASE)
    assert html.count("<p>") >= 2 and "<strong>c</strong>" in html and "<em>d</em>" in html and "<br>" in html
