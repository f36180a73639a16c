"""Where settings come from, in which order, and what is said when one is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from weighbridge.errors import InvalidInput
from weighbridge.settings import (
    Settings,
    child_environment,
    default_data,
    describe,
    load_settings,
    masked,
    setting_names,
    system_clock,
    with_port,
)


def test_flag_over_environment_over_file_over_default(tmp_path: Path) -> None:
    (tmp_path / "weighbridge.toml").write_text('port = 1111\nhost = "10.0.0.1"\nlog_level = "debug"\n')
    env = {"WEIGHBRIDGE_PORT": "2222", "WEIGHBRIDGE_HOST": "10.0.0.2", "OTHER": "x", "WEIGHBRIDGE_UNKNOWN": "y"}
    found = load_settings({"data": tmp_path, "port": 3333, "host": None}, env)
    assert (found.port, found.sources["port"]) == (3333, "--port")
    assert (found.host, found.sources["host"]) == ("10.0.0.2", "WEIGHBRIDGE_HOST")
    assert (found.log_level, found.sources["log_level"]) == ("debug", str(tmp_path / "weighbridge.toml"))
    assert (found.s3_region, found.sources["s3_region"]) == ("us-east-1", "default")
    assert found.sources["data"] == "--data"


def test_the_data_folder_of_the_environment_holds_the_file_too(tmp_path: Path) -> None:
    (tmp_path / "weighbridge.toml").write_text("port = 1111\n")
    assert load_settings({}, {"WEIGHBRIDGE_DATA": str(tmp_path)}).port == 1111


def test_a_named_file_replaces_the_one_in_the_data_folder(tmp_path: Path) -> None:
    (tmp_path / "weighbridge.toml").write_text("port = 1111\n")
    other = tmp_path / "other.toml"
    other.write_text("port = 2222\n")
    assert load_settings({"data": tmp_path}, {}, other).port == 2222


def test_an_empty_variable_is_not_given(tmp_path: Path) -> None:
    assert load_settings({"data": tmp_path}, {"WEIGHBRIDGE_S3_BUCKET": ""}).s3_bucket is None


def test_without_a_data_folder_it_is_under_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_data() == load_settings().data == tmp_path / "weighbridge"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_data() == tmp_path / ".local" / "share" / "weighbridge"


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("port", "abc", "port = 'abc'"),
        ("port", "70000", "port = '70000'"),
        ("role", "worker", "role = 'worker'"),
        ("log_format", "xml", "log_format = 'xml'"),
        ("database_url", "mysql://u:very-secret@h/d", "database_url (WEIGHBRIDGE_DATABASE_URL)"),
        ("public_url", "hub.example.org", "public_url"),
        ("public_url", "https://hub.example.org/sub", "public_url"),
        ("admin_token", "short-one", "admin_token"),
        ("admin_token", "a token with blanks in it", "admin_token"),
        ("stop_timeout_s", "-1", "stop_timeout_s"),
    ],
)
def test_a_wrong_value_names_the_setting_and_its_source(tmp_path: Path, name: str, value: str, words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        load_settings({"data": tmp_path}, {f"WEIGHBRIDGE_{name.upper()}": value})
    assert words in caught.value.message
    assert f"WEIGHBRIDGE_{name.upper()}" in caught.value.message
    if name in ("database_url", "admin_token"):
        assert value not in caught.value.message, "a secret must not be shown"
    assert caught.value.diagnostics()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("port = ", "weighbridge.toml"),
        ("prot = 1", "prot"),
        ('port = "x"', "weighbridge.toml"),
        ("[web]\nport = 1", "web"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "weighbridge.toml").write_text(text)
    with pytest.raises(InvalidInput, match=words):
        load_settings({"data": tmp_path})


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="does not exist"):
        load_settings({"data": tmp_path}, {}, tmp_path / "no.toml")
    with pytest.raises(InvalidInput, match="no such setting"):
        load_settings({"data": tmp_path, "colour": "red"})


@pytest.mark.parametrize(
    ("host", "port", "given", "url"),
    [
        ("127.0.0.1", 80, None, "http://127.0.0.1:80"),
        ("0.0.0.0", 8720, None, "http://127.0.0.1:8720"),
        ("::1", 8720, None, "http://[::1]:8720"),
        ("::", 8720, None, "http://[::1]:8720"),
        ("0.0.0.0", 8720, "https://hub.example.org/", "https://hub.example.org"),
    ],
)
def test_public_url(tmp_path: Path, host: str, port: int, given: str | None, url: str) -> None:
    found = load_settings({"data": tmp_path, "host": host, "port": port, "public_url": given})
    assert found.public_url == url


def test_a_free_port_names_the_url_unless_one_was_given(tmp_path: Path) -> None:
    assert with_port(load_settings({"data": tmp_path, "port": 0}), 4711).public_url == "http://127.0.0.1:4711"
    given = load_settings({"data": tmp_path, "port": 0, "public_url": "https://hub.example.org"})
    assert with_port(given, 4711).public_url == "https://hub.example.org"


def secret_settings(data: Path) -> Settings:
    return load_settings(
        {
            "data": data,
            "admin_token": "the-admin-token-0123456789",
            "s3_secret_key": "the-secret-key",
            "s3_access_key": "AKIA",
            "database_url": "postgresql://weigh:the-password@db.example.org/hub?password=the-parameter",
        }
    )


def test_secrets_are_masked_where_settings_are_shown(tmp_path: Path) -> None:
    found = secret_settings(tmp_path)
    shown = repr(found) + str(found) + "".join(str(masked(found, name)) for name in setting_names())
    for secret in ("the-admin-token", "the-secret-key", "the-password", "the-parameter"):
        assert secret not in shown
    assert masked(found, "database_url") == "postgresql://weigh:********@db.example.org/hub?password=********"
    assert masked(found, "port") == 8720


def test_a_child_sees_the_same_settings_and_not_the_admins_token(tmp_path: Path) -> None:
    found = secret_settings(tmp_path)
    environment = child_environment(found)
    assert "WEIGHBRIDGE_ADMIN_TOKEN" not in environment
    again = load_settings({}, environment)
    for name in set(setting_names()) - {"admin_token"}:
        assert getattr(again, name) == getattr(found, name), name


def test_every_setting_is_described() -> None:
    assert [name for name in setting_names() if not describe(name)] == []


def test_the_clock_is_in_milliseconds() -> None:
    assert 1_700_000_000_000 < system_clock() < 5_000_000_000_000
