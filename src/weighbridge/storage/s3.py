"""What every store on S3 shares: the connection, by obstore."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from obstore.store import S3Store

if TYPE_CHECKING:
    from obstore.store import ClientConfig, S3Config

_RETRY_FOR = timedelta(seconds=30)


def open_bucket(
    bucket: str, prefix: str, *, endpoint: str | None, region: str, access_key: str | None, secret_key: str | None
) -> S3Store:
    """The bucket's part under ``prefix``, addressed by path. Plain HTTP is spoken to an ``http://`` endpoint only.

    Without keys the AWS environment, profile or instance gives them, as obstore documents.
    """
    config: S3Config = {"region": region, "virtual_hosted_style_request": False}
    if endpoint:
        config["endpoint"] = endpoint.rstrip("/")
    if access_key and secret_key:
        config["access_key_id"] = access_key
        config["secret_access_key"] = secret_key
    # No limit on a whole request: a part of a big blob over a thin line may take long. The connect timeout stays.
    client: ClientConfig = {
        "allow_http": bool(endpoint and endpoint.startswith("http://")),
        "timeout": timedelta(minutes=10),
        "connect_timeout": timedelta(seconds=10),
    }
    return S3Store(
        bucket,
        prefix=prefix.strip("/") or None,
        config=config,
        client_options=client,
        retry_config={"max_retries": 5, "retry_timeout": _RETRY_FOR},
    )
