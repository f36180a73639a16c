from __future__ import annotations

import json
from pathlib import Path

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from tests.evidence.made import HUB, key, trust_text
from weighbridge.errors import Conflict, InvalidInput
from weighbridge.evidence.public_key import key_id, public_pem
from weighbridge.evidence.trust import fingerprint, host_of, parse_trust, pin, pin_folder, pinned, pinned_by_key


def test_a_trust_file_says_who_signs_and_which_log() -> None:
    trust = parse_trust(trust_text())
    found = trust.release_keys[0]
    assert (found.identity, found.issuer) == ("release@hub.test:8443", HUB)
    assert trust.release_key(key_id(key("hub").public_key())) is found
    assert trust.release_key("0" * 64) is None
    assert trust.log.origin == "hub.test:8443/tlog"
    assert fingerprint(trust_text()).startswith("SHA256:") and len(fingerprint(trust_text())) == 71


def _changed(**change: object) -> str:
    value = json.loads(trust_text())
    for path, new in change.items():
        place = value
        *parents, last = path.split("__")
        for part in parents:
            place = place[int(part)] if part.isdigit() else place[part]
        place[last] = new
    return rfc8785.dumps(value).decode()


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(json.loads(trust_text())),
        trust_text() + "\n",
        _changed(mediaType="x"),
        _changed(hub="ftp://hub.test"),
        _changed(hub="https://hub.test/\n../x"),
        _changed(release_keys=[]),
        _changed(release_keys__0__keyid="0" * 64),
        _changed(release_keys__0__public_key=public_pem(key("other"))),
        _changed(release_keys__0__valid_from="yesterday"),
        _changed(log__origin="other.test/tlog"),
        _changed(log__vkey="x"),
        _changed(more=1),
        "{}",
        "",
    ],
)
def test_a_trust_file_of_any_other_form_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_trust(text)


@given(st.text() | st.binary())
def test_any_text_is_refused_in_order(text: str | bytes) -> None:
    with pytest.raises(InvalidInput):
        parse_trust(text)


def test_the_first_use_pins_and_another_file_is_refused_after(tmp_path: Path) -> None:
    folder = pin_folder({"XDG_CONFIG_HOME": str(tmp_path)})
    assert folder == tmp_path / "weighbridge" / "trust"
    assert pinned(folder, HUB) is None
    assert pinned_by_key(folder, key_id(key("hub").public_key())) is None
    pin(folder, HUB, trust_text())
    pin(folder, HUB, trust_text())
    assert pinned(folder, HUB) == trust_text() == (folder / "hub.test:8443.json").read_text()
    with pytest.raises(Conflict, match="another one is pinned"):
        pin(folder, HUB, trust_text(hub_key="other"))
    assert pinned(folder, HUB) == trust_text()
    assert [path.name for path in folder.iterdir()] == ["hub.test:8443.json"]


def test_the_pinned_file_is_found_by_the_key_that_signed(tmp_path: Path) -> None:
    pin(tmp_path, HUB, trust_text())
    pin(tmp_path, "https://other.test", trust_text(hub_key="other"))
    assert pinned_by_key(tmp_path, key_id(key("other").public_key())) == trust_text(hub_key="other")
    assert pinned_by_key(tmp_path, "0" * 64) is None


def test_without_xdg_the_pins_lie_under_the_home_folder() -> None:
    assert pin_folder({"HOME": "/home/x"}) == Path("/home/x/.config/weighbridge/trust")


@pytest.mark.parametrize(
    "hub", ["hub", "http://", "https://a/../b@c:x", "http://[::1", "https://user@host", "http://a\\b"]
)
def test_what_is_no_address_of_a_hub_is_refused(hub: str) -> None:
    if hub == "https://a/../b@c:x":
        assert host_of(hub) == "a"
        return
    with pytest.raises(InvalidInput):
        host_of(hub)
