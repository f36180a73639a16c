"""What a writer need not send, because it brought it to this repo before or may read it now in it.

    skip = await have(db, repo, reader, ["9f86d0…"])        # {sha256: Uploaded}

Knowing a sha256 gives nothing: for a writer, "may read now in it" is every author's commit of the repo, and nothing of
any other repo. The same question guards ``create_author_commit``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from weighbridge.hub.access import require_writer
from weighbridge.hub.blob import Uploaded, known_uploads, record_upload

if TYPE_CHECKING:
    from weighbridge.accounts import Reader
    from weighbridge.hub.naming import Repo
    from weighbridge.storage.database import Session

__all__ = ["Uploaded", "have", "known_uploads", "record_upload"]


async def have(session: Session, repo: Repo, reader: Reader, sha256s: Iterable[str]) -> dict[str, Uploaded]:
    """Of these digests, what this writer need not send to this repo, with what is known of it.

    Raises: RepoNotFound, NotAllowed, NotAuthenticated when the reader may not write here.
    """
    account = await require_writer(session, repo, reader)
    return await known_uploads(session, repo, account.id, sha256s)
