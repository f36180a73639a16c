"""Settings: one frozen struct. Each by flag, by ``WEIGHBRIDGE_*`` in the environment, or by a file, in that order.

    settings = load_settings({"data": "/srv/hub"}, os.environ)
    settings.port, settings.sources["port"]      # 8720, "default"

The file is the one given as ``file`` (``--config``), else ``weighbridge.toml`` in the data folder when there is one.
"""

from __future__ import annotations

import os
import re
import time
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta, Struct, field

from weighbridge.errors import InvalidInput

Clock = Callable[[], int]
"""Gives the time: milliseconds since 1970, UTC."""

ENV_PREFIX = "WEIGHBRIDGE_"
FILE_NAME = "weighbridge.toml"
SECRETS = frozenset({"admin_token", "s3_secret_key"})
"""Settings that are shown masked, and never taken from a flag, where `ps` would show them."""

MIN_ADMIN_TOKEN = 20
_URL_PASSWORD = re.compile(r"(://[^:/@]*):[^@/]+@")
_PASSWORD_PARAMETER = re.compile(r"([?&]password=)[^&]*")


def system_clock() -> int:
    """Milliseconds since 1970, by the machine's clock."""
    return time.time_ns() // 1_000_000


def default_data() -> Path:
    """The data folder when none is named: under ``$XDG_DATA_HOME``, else ``~/.local/share``."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "weighbridge"


class Settings(Struct, frozen=True, kw_only=True):
    """Every setting of a hub. ``sources`` says where each one came from, in words."""

    data: Annotated[Path, Meta(description="the hub's data folder")]
    host: Annotated[str, Meta(min_length=1, description="address to listen on")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="port to listen on; 0 takes a free one")] = 8720
    public_url: Annotated[
        str,
        Meta(pattern=r"^(https?://[^\s/?#]+)?$", description="URL under which readers reach the hub, without a path"),
    ] = ""
    role: Annotated[
        Literal["all", "api", "blobs"], Meta(description="all: with a worker; api, blobs: workers run elsewhere")
    ] = "all"
    database_url: (
        Annotated[str, Meta(pattern=r"^postgres(ql)?://", description="PostgreSQL; none: SQLite in the data folder")]
        | None
    ) = None
    s3_bucket: (
        Annotated[str, Meta(min_length=1, description="keep blobs in this bucket, not in the data folder")] | None
    ) = None
    s3_prefix: Annotated[str, Meta(description="key prefix inside the bucket")] = ""
    s3_endpoint: (
        Annotated[str, Meta(pattern=r"^https?://", description="endpoint of an S3 other than Amazon's")] | None
    ) = None
    s3_region: Annotated[str, Meta(min_length=1, description="region of the bucket")] = "us-east-1"
    s3_access_key: Annotated[str, Meta(min_length=1, description="access key id")] | None = None
    s3_secret_key: Annotated[str, Meta(min_length=1, description="secret access key")] | None = None
    default_policy: Annotated[str, Meta(min_length=1, description="policy of new namespaces")] = "open"
    log_format: Annotated[Literal["json", "text"], Meta(description="JSON lines, or text for people")] = "json"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="least level that is logged")
    ] = "info"
    admin_token: (
        Annotated[str, Meta(description=f"first admin's token, for automation; at least {MIN_ADMIN_TOKEN} characters")]
        | None
    ) = None
    stop_timeout_s: Annotated[int, Meta(ge=0, le=3600, description="how long requests may finish when stopping")] = 30
    sources: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def blobs_dir(self) -> Path:
        """File bytes by sha256."""
        return self.data / "blobs"

    @property
    def incoming_dir(self) -> Path:
        """Uploads under way."""
        return self.data / "incoming"

    @property
    def tlog_dir(self) -> Path:
        """The transparency log's static files."""
        return self.data / "tlog"

    @property
    def keys_dir(self) -> Path:
        """Signing keys; the worker's alone."""
        return self.data / "keys"

    @property
    def metadata_path(self) -> Path:
        """The SQLite file of the hub's tables."""
        return self.data / "metadata.sqlite"

    @property
    def workflows_path(self) -> Path:
        """The SQLite file of DBOS's own tables."""
        return self.data / "workflows.sqlite"

    @property
    def hub_file(self) -> Path:
        """Host, port and process ids of a running ``serve``."""
        return self.data / "hub.json"

    def __repr__(self) -> str:
        """Every value, secrets masked: a traceback or a log line must not give one away."""
        return f"Settings({', '.join(f'{name}={masked(self, name)!r}' for name in setting_names())})"


def setting_names() -> tuple[str, ...]:
    """Names of all settings, in the order of the struct."""
    return tuple(item.name for item in msgspec.structs.fields(Settings) if item.name != "sources")


def describe(name: str) -> str:
    """What a setting is, in one line."""
    metas = (part for part in _parts(_types()[name]) if isinstance(part, Meta))
    return next((meta.description for meta in metas if meta.description), "")


def masked(settings: Settings, name: str) -> str | int | None:
    """A setting's value as it may be shown."""
    value = getattr(settings, name)
    if value is None or isinstance(value, int):
        return value
    if name in SECRETS:
        return "********"
    if name == "database_url":
        return _PASSWORD_PARAMETER.sub(r"\1********", _URL_PASSWORD.sub(r"\1:********@", value))
    return str(value)


def load_settings(
    flags: Mapping[str, object] | None = None, env: Mapping[str, str] | None = None, file: Path | None = None
) -> Settings:
    """Settings of the first source that names each: ``flags`` (None is "not given"), ``env``, file, default.

    Raises:
        InvalidInput: a value or a name that does not fit; the message names the setting and its source.
    """
    given = {name: (value, f"--{name.replace('_', '-')}") for name, value in (flags or {}).items() if value is not None}
    for key, value in (env or {}).items():
        name = key.removeprefix(ENV_PREFIX).lower()
        if key.startswith(ENV_PREFIX) and name in setting_names() and value:
            given.setdefault(name, (value, key))
    data = _convert("data", *given["data"]) if "data" in given else default_data()
    for name, found in _read_file(file, data).items():
        given.setdefault(name, found)
    given.setdefault("data", (str(default_data()), "default"))
    values = {name: _convert(name, value, source) for name, (value, source) in given.items()}
    sources = {name: given[name][1] if name in given else "default" for name in setting_names()}
    return _complete(Settings(**values, sources=sources))


def with_port(settings: Settings, port: int) -> Settings:
    """The same settings once the port is known that the machine gave for port 0."""
    url = settings.public_url if settings.sources.get("public_url") != "default" else ""
    return _complete(msgspec.structs.replace(settings, port=port, public_url=url))


def child_environment(settings: Settings) -> dict[str, str]:
    """``WEIGHBRIDGE_*`` for a child process, so that it sees what this one sees; the admin's token stays here."""
    names = (name for name in setting_names() if name != "admin_token")
    values = ((name, getattr(settings, name)) for name in names)
    return {ENV_PREFIX + name.upper(): str(value) for name, value in values if value not in (None, "")}


def _complete(settings: Settings) -> Settings:
    token = settings.admin_token
    if token is not None and (
        len(token) < MIN_ADMIN_TOKEN or not token.isascii() or not token.isprintable() or " " in token
    ):
        raise InvalidInput(
            f"could not use admin_token ({settings.sources['admin_token']}): it must be at least {MIN_ADMIN_TOKEN}"
            " printable ASCII characters without spaces",
            hint="Make one, for example with: openssl rand -hex 24",
        )
    if settings.public_url:
        return settings
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)  # noqa: S104 - compared, not bound
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return msgspec.structs.replace(settings, public_url=f"http://{host}:{settings.port}")


def _read_file(file: Path | None, data: Path) -> dict[str, tuple[object, str]]:
    path = file or data / FILE_NAME
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        if file is None:
            return {}
        raise InvalidInput(f"could not read settings: {path} does not exist") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidInput(f"could not read settings from {path}: {error}") from error
    unknown = sorted(set(table) - set(setting_names()))
    if unknown:
        raise InvalidInput(
            f"could not use {path}: it names settings that do not exist: {', '.join(unknown)}",
            hint="`weighbridge settings` lists those that do.",
        )
    return {name: (value, str(path)) for name, value in table.items()}


def _convert(name: str, value: object, source: str) -> Any:
    if name not in setting_names():
        raise InvalidInput(f"could not use setting {name} ({source}): there is no such setting")
    if name == "data":
        if not isinstance(value, str | Path) or not str(value):
            raise InvalidInput(f"could not use data ({source}): it must be the path of a folder")
        return Path(value).expanduser().absolute()
    if name == "public_url" and isinstance(value, str):
        value = value.rstrip("/")
    try:
        return msgspec.convert(value, _types()[name], strict=False)
    except msgspec.ValidationError as error:
        shown = "" if name in SECRETS or name == "database_url" else f" = {value!r}"
        raise InvalidInput(
            f"could not use {name}{shown} ({source}): {str(error)[:1].lower()}{str(error)[1:]}",
            hint=f"{name}: {describe(name)}",
        ) from error


def _types() -> dict[str, Any]:
    return {item.name: item.type for item in msgspec.structs.fields(Settings)}


def _parts(kind: Any) -> list[Any]:
    return [kind, *(part for inner in get_args(kind) for part in _parts(inner)), *getattr(kind, "__metadata__", ())]
