"""A strict reader of stored zip archives: both headers of each member agree, and every byte belongs to one.

Loaders disagree about archives whose two directories differ, so what one tool inspects another loads (CVE-2025-1945).
Here such an archive is refused. https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
"""

from __future__ import annotations

import struct

import msgspec

from weighbridge.checkpoint.jsonfile import clip
from weighbridge.checkpoint.region import Malformed, Region

MAX_MEMBERS = 200_000
MAX_DIRECTORY_BYTES = 64 << 20

_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF
_UTF8, _DESCRIPTOR = 0x0800, 0x0008


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A stored member: its name, where its bytes are in the archive, and their CRC-32."""

    name: str
    header_at: int
    data_at: int
    size_bytes: int
    crc32: int
    end: int  # exclusive, with the data descriptor


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What the central directory says of a member."""

    name: bytes
    flags: int
    method: int
    crc32: int
    packed: int
    size: int
    header_at: int
    at_byte: int


def read_zip(region: Region) -> tuple[Member, ...]:
    """The members in the order of their bytes. Reads headers only.

    Raises:
        Malformed: with the byte where the archive does not hold, or is of a kind that weights are not stored in.
    """
    directory_at, directory_bytes, count, after = _read_end(region)
    entries = _read_directory(region, directory_at, directory_bytes, count)
    members: list[Member] = []
    names: set[str] = set()
    position = 0
    for entry in sorted(entries, key=lambda entry: entry.header_at):
        if entry.header_at != position:
            kind = "overlaps the member before it" if entry.header_at < position else "leaves a gap before it"
            raise Malformed(f"member {clip(entry.name.decode('latin-1'))} {kind}", at_byte=entry.header_at)
        member = _read_member(region, entry)
        if member.name.lower() in names:
            raise Malformed(f"member {clip(member.name)} occurs twice", at_byte=entry.header_at)
        names.add(member.name.lower())
        members.append(member)
        position = member.end
    if position != directory_at:
        raise Malformed("bytes between the last member and the directory", at_byte=position)
    if after != directory_at + directory_bytes:
        raise Malformed("bytes between the directory and its end record", at_byte=directory_at + directory_bytes)
    return tuple(members)


def _read_end(region: Region) -> tuple[int, int, int, int]:
    """Where the central directory is, its size, the number of members, and where the end records begin."""
    at_byte = region.size_bytes - _END.size
    fields = _END.unpack(region.read(max(at_byte, 0), _END.size))
    signature, disk, start_disk, on_disk, count, size, offset, comment = fields
    if signature != b"PK\x05\x06" or comment:
        raise Malformed("the archive does not end with its end record", at_byte=max(at_byte, 0))
    if (disk, start_disk) != (0, 0) or on_disk != count:
        raise Malformed("an archive in several parts", at_byte=at_byte)
    locator_at = at_byte - _END64_LOCATOR.size
    if locator_at >= 0 and region.read(locator_at, 4) == b"PK\x06\x07":
        return _read_end64(region, locator_at, short=(size, offset, count))
    if _FULL32 in (size, offset) or count == _FULL16:
        raise Malformed("a zip64 archive without its locator", at_byte=at_byte)
    return offset, size, _bounded(count, size, at_byte), at_byte


def _read_end64(region: Region, locator_at: int, *, short: tuple[int, int, int]) -> tuple[int, int, int, int]:
    _, disk, end64_at, disks = _END64_LOCATOR.unpack(region.read(locator_at, _END64_LOCATOR.size))
    if disk or disks > 1 or end64_at + _END64.size != locator_at:
        raise Malformed("the zip64 locator points elsewhere than to the record before it", at_byte=locator_at)
    fields = _END64.unpack(region.read(end64_at, _END64.size))
    signature, record, _, _, disk, start_disk, on_disk, count, size, offset = fields
    if signature != b"PK\x06\x06" or record != _END64.size - 12 or disk or start_disk or on_disk != count:
        raise Malformed("the zip64 end record does not hold", at_byte=end64_at)
    wide = (size, offset, count)
    for narrow, value, full in zip(short, wide, (_FULL32, _FULL32, _FULL16), strict=True):
        if narrow not in (value, full):
            raise Malformed("the two end records disagree", at_byte=end64_at)
    return offset, size, _bounded(count, size, end64_at), end64_at


def _bounded(count: int, size: int, at_byte: int) -> int:
    if count > MAX_MEMBERS or size > MAX_DIRECTORY_BYTES or count * _CENTRAL.size > size:
        raise Malformed(f"a directory of {count} members in {size} bytes", at_byte=at_byte)
    return count


def _read_directory(region: Region, offset: int, size: int, count: int) -> list[_Entry]:
    directory = region.read(offset, size)
    entries: list[_Entry] = []
    position = 0
    for _ in range(count):
        at_byte = offset + position
        if position + _CENTRAL.size > size:
            raise Malformed("the directory is truncated", at_byte=at_byte)
        fields = _CENTRAL.unpack_from(directory, position)
        signature, _, _, flags, method, _, _, crc, packed, unpacked, name, extra, comment, disk, _, _, header_at = (
            fields
        )
        if signature != b"PK\x01\x02" or disk:
            raise Malformed("an entry of the directory does not hold", at_byte=at_byte)
        name_at = position + _CENTRAL.size
        position = name_at + name + extra + comment
        if position > size:
            raise Malformed("the directory is truncated", at_byte=at_byte)
        extra_bytes = directory[name_at + name : name_at + name + extra]
        wide = _zip64([unpacked, packed, header_at], extra_bytes, at_byte)
        entries.append(
            _Entry(
                name=directory[name_at : name_at + name],
                flags=flags, method=method, crc32=crc, size=wide[0], packed=wide[1], header_at=wide[2], at_byte=at_byte,
            )
        )  # fmt: skip
    if position != size:
        raise Malformed("bytes after the directory's last entry", at_byte=offset + position)
    return entries


def _zip64(values: list[int], extra: bytes, at_byte: int) -> list[int]:
    """The values, those that are all ones replaced from the zip64 extra field."""
    position, found = 0, b""
    while position + 4 <= len(extra):
        kind, size = struct.unpack_from("<2H", extra, position)
        if position + 4 + size > len(extra):
            raise Malformed("an extra field is truncated", at_byte=at_byte)
        if kind == 1:
            found = extra[position + 4 : position + 4 + size]
        position += 4 + size
    needed = [index for index, value in enumerate(values) if value == _FULL32]
    if len(found) < 8 * len(needed):
        raise Malformed("a zip64 entry without its sizes", at_byte=at_byte)
    wide = list(values)
    for slot, index in enumerate(needed):
        wide[index] = int.from_bytes(found[8 * slot : 8 * slot + 8], "little")
    return wide


def _read_member(region: Region, entry: _Entry) -> Member:
    at_byte = entry.header_at
    fields = _LOCAL.unpack(region.read(at_byte, _LOCAL.size))
    signature, _, flags, method, _, _, crc, packed, unpacked, name_bytes, extra_bytes = fields
    if signature != b"PK\x03\x04":
        raise Malformed("no member where the directory says one is", at_byte=at_byte)
    name = region.read(at_byte + _LOCAL.size, name_bytes)
    extra = region.read(at_byte + _LOCAL.size + name_bytes, extra_bytes)
    if (name, flags, method) != (entry.name, entry.flags, entry.method):
        raise Malformed("the two headers of a member disagree", at_byte=at_byte)
    if flags & ~(_UTF8 | _DESCRIPTOR):
        raise Malformed(f"a member with flags {flags:#06x} (encrypted, or of an unusual kind)", at_byte=at_byte)
    if method or entry.packed != entry.size:
        raise Malformed("a compressed member; weights are stored as they are", at_byte=at_byte)
    size, size_packed = _zip64([unpacked, packed], extra, at_byte)
    streamed = flags & _DESCRIPTOR and (crc, size_packed, size) == (0, 0, 0)  # its descriptor says them
    if not streamed and (crc, size_packed, size) != (entry.crc32, entry.packed, entry.size):
        raise Malformed("the two headers of a member disagree", at_byte=at_byte)
    data_at = at_byte + _LOCAL.size + name_bytes + extra_bytes
    end = data_at + entry.size
    if flags & _DESCRIPTOR:
        end = _after_descriptor(region, end, entry)
    region.part(data_at, end - data_at)
    return Member(
        name=_member_name(name, at_byte),
        header_at=at_byte,
        data_at=data_at,
        size_bytes=entry.size,
        crc32=entry.crc32,
        end=end,
    )


def _after_descriptor(region: Region, at_byte: int, entry: _Entry) -> int:
    """The end of the data descriptor, which must say what the directory says."""
    for width in (4, 8):
        expected = b"PK\x07\x08" + entry.crc32.to_bytes(4, "little")
        if entry.size >= 1 << 8 * width:
            continue
        expected += entry.packed.to_bytes(width, "little") + entry.size.to_bytes(width, "little")
        if at_byte + len(expected) <= region.size_bytes and region.read(at_byte, len(expected)) == expected:
            following = at_byte + len(expected)
            if region.read(following, min(2, region.size_bytes - following)) == b"PK":
                return following
    raise Malformed("a member's data descriptor is not there or disagrees", at_byte=at_byte)


def _member_name(name: bytes, at_byte: int) -> str:
    try:
        text = name.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("a member's name is not UTF-8", at_byte=at_byte) from error
    parts = text.split("/")
    if "\\" in text or "\0" in text or ":" in text or any(part in ("", ".", "..") for part in parts):
        raise Malformed(f"a member is named {clip(text)}", at_byte=at_byte)
    return text
