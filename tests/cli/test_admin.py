"""`weighbridge admin` beside a running hub: what it does holds at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_main import call
from tests.running import RunningHub

pytestmark = pytest.mark.slow


def admin(hub: RunningHub, *words: str, code: int = 0, **options):
    found = call("admin", *words, "--data", str(hub.data), "--json", **options)
    assert found.returncode == code, found.stderr
    return json.loads(found.stdout)


def test_a_person_with_a_token(running_hub: RunningHub) -> None:
    made = admin(running_hub, "user", "create", "ada", "--full-name", "Ada L.")
    assert (made["name"], made["kind"], made["full_name"], made["policy"]) == ("ada", "user", "Ada L.", "open")
    token = admin(running_hub, "token", "create", "ada", "--scope", "write", "--name", "laptop", "--days", "3")
    assert running_hub.get("/api/whoami-v2", token["token"]).json()["name"] == "ada"
    listed = admin(running_hub, "token", "list", "ada")
    assert [(item["id"], item["name"], item["scopes"]) for item in listed] == [(token["id"], "laptop", ["write"])]
    assert listed[0]["expires_ms"] - listed[0]["created_ms"] == 3 * 24 * 3600 * 1000
    assert token["token"] not in json.dumps(listed)
    admin(running_hub, "token", "revoke", token["id"])
    assert running_hub.get("/api/whoami-v2", token["token"]).status == 401
    assert {"ada", "admin"} <= {account["name"] for account in admin(running_hub, "user", "list")}


def test_an_organisation_with_roles(running_hub: RunningHub) -> None:
    for name in ("grace", "edsger"):
        admin(running_hub, "user", "create", name)
    made = admin(running_hub, "org", "create", "turing-lab", "--admin", "grace", "--policy", "responsible")
    assert (made["kind"], made["policy"]) == ("organisation", "responsible")
    admin(running_hub, "role", "grant", "edsger", "write", "--on", "turing-lab")
    token = admin(running_hub, "token", "create", "edsger")["token"]

    def organisations() -> list[str]:
        return [org["name"] for org in running_hub.get("/api/whoami-v2", token).json()["orgs"]]

    assert organisations() == ["turing-lab"]
    admin(running_hub, "role", "revoke", "edsger", "write", "--on", "turing-lab")
    assert organisations() == []


@pytest.mark.parametrize(
    ("words", "code", "name"),
    [
        (["user", "create", "admin"], 1, "Conflict"),
        (["user", "create", "no spaces"], 2, "InvalidInput"),
        (["user", "create", "api"], 2, "InvalidInput"),
        (["token", "create", "nobody-of-that-name"], 1, "NotFound"),
        (["token", "revoke", "00"], 1, "NotFound"),
        (["role", "grant", "admin", "king"], 2, "InvalidInput"),
        (["role", "grant", "admin", "write"], 2, "InvalidInput"),
        (["role", "revoke", "admin", "admin"], 1, "Conflict"),
        (["role", "grant", "admin", "write", "--on", "no/such-repo"], 1, "NotFound"),
        (["org", "create", "lab-y", "--policy", "nosuch"], 2, "InvalidInput"),
        (["user", "create", "lin-y", "--policy", __file__ + "/../conftest.yaml"], 6, "UnreadableFile"),
        (["org", "create", "lab-x", "--admin", "nobody-of-that-name"], 1, "NotFound"),
    ],
)
def test_refusals(running_hub: RunningHub, words: list[str], code: int, name: str) -> None:
    assert admin(running_hub, *words, code=code)["code"] == name


def test_a_password_comes_from_standard_input(running_hub: RunningHub) -> None:
    admin(running_hub, "user", "create", "barbara")
    assert admin(running_hub, "password", "barbara", "--stdin", code=2, input="short\n")["code"] == "InvalidInput"
    assert admin(running_hub, "password", "barbara", "--stdin", input="a long enough one\n") == {"account": "barbara"}


def test_a_folder_without_a_hub_is_not_made_one(tmp_path: Path) -> None:
    found = call("admin", "user", "create", "ada", "--data", str(tmp_path / "typo"))
    assert found.returncode == 1
    assert not (tmp_path / "typo").exists()
