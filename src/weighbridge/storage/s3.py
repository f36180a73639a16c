"""What every store on S3 shares: the connection by obstore, and its errors as ours."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from datetime import timedelta
from typing import TYPE_CHECKING

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from weighbridge.errors import StorageError, StorageFull

if TYPE_CHECKING:
    from obstore.store import ClientConfig, S3Config

_FULL = ("507", "InsufficientStorage", "XMinioStorageFull", "QuotaExceeded", "no space left", "No writable volume")
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


@contextlib.contextmanager
def s3_errors(what: str) -> Generator[None, None, None]:
    """Turns obstore's errors of the block into ours; ``what`` reads "store the blob abc". FileNotFoundError passes."""
    try:
        yield
    except (PermissionDeniedError, UnauthenticatedError) as error:
        raise StorageError(
            f"could not {what}: the object store refused the hub's credentials",
            hint="Check the access key, the secret key and the bucket's policy.",
        ) from error
    except BaseError as error:
        text = str(error)
        if any(mark in text for mark in _FULL):
            raise StorageFull(f"could not {what}: the object store is full") from error
        raise StorageError(f"could not {what}: {text.splitlines()[0] if text else type(error).__name__}") from error
