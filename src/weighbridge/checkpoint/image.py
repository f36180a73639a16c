"""Images of a model card: that the file ends where the picture ends, so that it is not two things at once."""

from __future__ import annotations

from weighbridge.checkpoint.region import Malformed, Region

_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
_ARCHIVE_TAIL_BYTES = 66_000  # a zip's end record is at most this far from the end


def read_image(region: Region) -> str:
    """The kind of the image.

    Raises:
        Malformed: it does not end as its kind does, or an archive hangs at its end.
    """
    head = region.head(12)
    if b"PK\x05\x06" in region.tail(_ARCHIVE_TAIL_BYTES):
        raise Malformed("an archive hangs at the end of the image", at_byte=region.size_bytes)
    kind, ends = _kind(region, head)
    if not ends:
        raise Malformed(f"the {kind} image does not end where the file ends", at_byte=region.size_bytes)
    return kind


def _kind(region: Region, head: bytes) -> tuple[str, bool]:
    if head.startswith(b"\x89PNG"):
        return "PNG", region.tail(12) == _PNG_END
    if head.startswith(b"\xff\xd8"):
        return "JPEG", region.tail(2) == b"\xff\xd9"
    if head.startswith(b"GIF8"):
        return "GIF", region.tail(1) == b";"
    if head[:4] == b"RIFF":
        announced = int.from_bytes(head[4:8], "little") + 8
        return "WEBP", region.size_bytes - announced in (0, 1)
    raise Malformed("no image that is known", at_byte=0)
