"""The pages in a real browser without JavaScript: they can be read, walked through by keyboard, and look right."""

import itertools
import json
import re

import pytest

pytestmark = pytest.mark.slow

RIGHT_EDGES = """
    () => [...document.querySelectorAll("main *")]
        .filter(e => !e.closest(".table, pre, .unseen, .tabs, .scale") && e.getClientRects().length)
        .map(e => e.getBoundingClientRect().right)
"""


def log_in(look, shown_hub, name):
    page = look("/login")
    page.get_by_label("Password or token").fill(shown_hub.tokens[name])
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/")
    assert page.get_by_role("button", name="Log out").is_visible()
    return page


def test_home_shows_the_newest_releases_and_finds_them(look, keep, shown_hub):
    page = look("/")
    keep(page, "home")
    assert page.get_by_role("heading", level=1).inner_text() == "Open models, each with its ticket."
    assert page.get_by_text("tiny-waiting").count() == 0
    page.get_by_label("Search models and datasets").fill("COUNTER")
    page.get_by_role("button", name="Search").click()
    assert page.url.endswith("/?q=COUNTER")
    page.get_by_role("link", name="acme/tiny-counter", exact=True).click()
    assert page.url == f"{shown_hub.url}/acme/tiny-counter"


def test_a_model_page_shows_card_ticket_files_and_how_to_check_it(look, keep, shown_hub):
    page = look("/acme/tiny-counter")
    keep(page, "model")
    assert page.get_by_role("article", name="Model card").get_by_text("that counts").is_visible()
    assert page.get_by_role("cell", name="0.5").is_visible()
    ticket = page.get_by_role("region", name="Release ticket")
    assert "ada, grace" in ticket.inner_text()
    assert page.get_by_text("weighbridge verify tiny-counter").is_visible()
    page.get_by_role("navigation", name="acme/tiny-counter").get_by_role("link", name="Files").click()
    rows = page.get_by_role("row").all_inner_texts()
    assert any("model.safetensors" in row for row in rows)
    assert any(".release/attestations.jsonl" in row for row in rows)
    page.get_by_role("link", name="config.json").click()
    assert json.loads(page.locator("body").inner_text())["model_type"] == "llama"


def test_a_release_page_shows_how_it_was_decided(look, keep, shown_hub):
    page = look("/acme/tiny-counter/releases/1")
    keep(page, "release-released")
    stages = page.get_by_role("region", name="Stages").get_by_role("listitem")
    assert stages.count() >= 8
    for stage in ("Receive", "Inspect", "Document", "Decide", "Approve", "Sign", "Log", "Publish"):
        assert page.get_by_role("heading", name=re.compile(f"^{stage} ?: passed$")).count() == 1
    decision = page.get_by_role("region", name="Decision")
    assert decision.get_by_text("holds", exact=True).count() >= 5
    assert decision.get_by_text("does not hold").count() == 0
    approvals = page.get_by_role("region", name="Approvals").inner_text()
    assert "ada" in approvals
    assert "grace" in approvals
    assert "I read it all." not in approvals
    page.get_by_role("link", name="Signed tree head").click()
    assert page.locator("body").inner_text().splitlines()[0].endswith("/tlog")


def test_the_log_entry_of_a_release_is_in_its_tile(look, shown_hub):
    page = look("/acme/tiny-counter/releases/1")
    tile = page.get_by_role("link", name="its tile").get_attribute("href")
    answer = shown_hub.hub.get(tile)
    assert answer.status == 200
    assert b"weighbridge.leaf/v1" in answer.data


def test_a_release_at_the_gate_says_what_is_missing_and_the_command(look, keep, shown_hub):
    page = log_in(look, shown_hub, "ada")
    look("/acme/tiny-waiting/releases/1", page=page)
    keep(page, "release-waiting")
    notice = page.get_by_role("region", name="Waiting at the gate")
    assert "0 of 2 approvals" in notice.inner_text()
    assert "0 of 2 approvals" in page.get_by_role("region", name="Decision").inner_text()
    assert "weighbridge approve acme/tiny-waiting@1" in notice.inner_text()
    assert page.get_by_role("heading", name=re.compile("^Approve ?: waiting$")).count() == 1
    assert page.get_by_role("heading", name=re.compile("^Sign ?: not yet$")).count() == 1
    assert "I read it all." in look("/acme/tiny-counter/releases/1", page=page).inner_text("main")
    page.get_by_role("button", name="Log out").click()
    assert page.get_by_role("link", name="Log in").is_visible()
    assert page.goto("/acme/tiny-waiting/releases/1").status == 404
    keep(page, "not-found")


def test_the_author_sees_that_the_release_waits(look, keep, shown_hub):
    page = log_in(look, shown_hub, "lin")
    look("/acme/tiny-waiting", page=page)
    keep(page, "model-of-the-author")
    assert page.get_by_role("region", name="Release 1: waiting at the gate").is_visible()
    assert page.get_by_text("You see the newest commit of main").is_visible()


def test_a_wrong_token_is_said_beside_the_form(look, keep):
    page = look("/login")
    page.get_by_label("Password or token").fill("wb_wrong")
    page.get_by_role("button", name="Log in").click()
    keep(page, "login")
    assert page.get_by_role("alert").inner_text() == "This token is not known, or not good any more."


@pytest.mark.parametrize(
    "path", ["/", "/acme/tiny-counter", "/acme/tiny-counter/releases", "/acme/tiny-counter/releases/1"]
)
def test_headings_and_landmarks_let_a_page_be_read_without_seeing_it(look, path):
    page = look(path)
    for landmark in ("banner", "main", "contentinfo"):
        assert page.get_by_role(landmark).count() == 1
    levels = page.eval_on_selector_all("h1, h2, h3, h4", "found => found.map(e => Number(e.tagName[1]))")
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.title()
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "Skip to the content"
    assert page.locator("img:not([alt])").count() == 0
    for table in page.locator("table").all():
        assert table.locator("thead th:not([scope])").count() == 0


@pytest.mark.parametrize("path", ["/", "/acme/tiny-counter", "/acme/tiny-counter/releases/1", "/login"])
def test_nothing_is_wider_than_a_phone(look, keep, path):
    page = look(path, width=360, height=740)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert max(page.evaluate(RIGHT_EDGES)) <= 361
    if path.endswith("/1"):
        keep(page, "release-phone")
