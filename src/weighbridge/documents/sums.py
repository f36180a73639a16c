"""``SHA256SUMS`` as a document of the release; the format lives in ``evidence.sums``, because ``verify`` reads it."""

from __future__ import annotations

from weighbridge.evidence.sums import parse_sums, release_digest, sha256sums

__all__ = ["parse_sums", "release_digest", "sha256sums"]
