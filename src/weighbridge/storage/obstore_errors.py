"""obstore's errors as ours."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

from weighbridge.errors import StorageError, StorageFull

_FULL = ("507 Insufficient Storage", "InsufficientStorage", "XMinioStorageFull", "QuotaExceeded", "no space left")


@contextlib.contextmanager
def obstore_errors(what: str) -> Generator[None, None, None]:
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
