import re

import pytest

from tests.http.asgi import call


async def test_the_style_sheet_is_kept_by_browsers_under_its_stamp_only(browse):
    page = (await browse("/")).body.decode()
    stamped = re.search(r'href="(/static/site\.css\?v=\w+)"', page)[1]
    answer = await browse(stamped)
    assert answer.status == 200
    assert answer.header("content-type") == "text/css; charset=utf-8"
    assert "immutable" in answer.header("cache-control")
    for path in ("/static/site.css", "/static/site.css?v=old"):
        assert "immutable" not in (await browse(path)).header("cache-control")


@pytest.mark.parametrize("name", ["absent.css", "..%2fsite.py", "..%2Ftemplates%2Fbase.html"])
async def test_nothing_else_of_the_package_is_served(browse, name):
    assert (await browse(f"/static/{name}")).status == 404


async def test_a_name_with_a_nul_is_no_name(browse):
    assert (await browse("/static/%00")).status == 400


async def test_the_icon_is_there_under_both_names(browse):
    for path in ("/favicon.ico", "/static/icon.svg"):
        assert (await browse(path)).header("content-type") == "image/svg+xml"


def test_the_style_sheet_asks_for_nothing_from_elsewhere():
    from weighbridge.http.web.site import _content

    css = _content("site.css").decode()
    assert "url(" not in css
    assert "@import" not in css


def _luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one, other):
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_has_the_contrast_of_wcag_aa_on_each_ground_it_stands_on(scheme):
    from weighbridge.http.web.site import _content

    blocks = re.findall(r":root \{(.*?)\}", _content("site.css").decode(), re.DOTALL)
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", blocks[scheme]))
    grounds = ("paper", "surface", "sunk")
    pairs = [(text, ground) for text in ("ink", "muted", "accent") for ground in grounds]
    pairs += [(tone, f"{tone}-soft") for tone in ("ok", "wait", "bad", "run")]
    pairs += [("ink", f"{tone}-soft") for tone in ("ok", "wait", "bad", "run")]
    pairs += [("on-accent", "accent")]
    low = {pair: round(_contrast(colours[pair[0]], colours[pair[1]]), 2) for pair in pairs}
    assert {pair: ratio for pair, ratio in low.items() if ratio < 4.5} == {}


async def test_a_program_gets_json_where_a_browser_gets_a_page(app):
    program = await call(app, "GET", "/nobody/nothing", headers={"accept": "application/json"})
    assert program.header("content-type").startswith("application/json")
