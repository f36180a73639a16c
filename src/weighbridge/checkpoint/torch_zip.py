"""The zip archives of torch.save: the archive, its pickle, and that every tensor lies inside its storage.

    torch_file = read_torch_zip(region)
    torch_file.pickle.refused  # what its pickle would do besides making tensors

See torch/csrc/jit/serialization and torch/serialization.py. Reads headers and the pickle, never the tensors' data.
"""

from __future__ import annotations

import re
import zlib

import msgspec

from weighbridge.checkpoint.jsonfile import clip
from weighbridge.checkpoint.pickle_globals import STORAGE_BYTES, TORCH_DTYPE_BYTES
from weighbridge.checkpoint.pickle_stream import PickleReport, read_pickle
from weighbridge.checkpoint.pickle_values import Global, Known, Storage
from weighbridge.checkpoint.region import Malformed, Region
from weighbridge.checkpoint.safetensors import MAX_ELEMENTS, count_elements
from weighbridge.checkpoint.zip_archive import Member, read_zip

MAX_PICKLE_BYTES = 64 << 20

_MEMBER = re.compile(
    r"data/\d{1,9}|data\.pkl|version|byteorder|\.format_version|\.storage_alignment|\.data/serialization_id"
)


class TorchFile(msgspec.Struct, frozen=True, kw_only=True):
    """What is inside: the pickle's report, the number of tensors, and elements by the storage's type."""

    pickle: PickleReport
    tensors: int
    elements: dict[str, int]


def read_torch_zip(region: Region) -> TorchFile:
    """The archive's content, once its structure holds.

    What its pickle does is in ``pickle.refused``; that a tensor reaches past its storage is in ``pickle.malformed``.

    Raises:
        Malformed: the archive, or a storage's size, does not hold.
    """
    members = _named_members(read_zip(region))
    if "data.pkl" not in members:
        raise Malformed("the archive has no data.pkl: not one of torch.save", at_byte=0)
    stream = _pickle_region(region, members["data.pkl"])
    tensors = _Tensors()
    report = read_pickle(stream, on_call=tensors.see)
    if report.malformed is None and report.end != stream.size_bytes:
        raise Malformed("bytes after the pickle's end", at_byte=stream.start + report.end)
    for storage in report.storages:
        _check_storage(storage, members)
    unnamed = set(members) - {f"data/{storage.key}" for storage in report.storages}
    leftover = [name for name in sorted(unnamed) if name.startswith("data/")]
    if leftover and report.malformed is None and not report.refused:
        raise Malformed(f"{clip(leftover[0])} belongs to no tensor", at_byte=members[leftover[0]].header_at)
    return TorchFile(pickle=report, tensors=tensors.count, elements=tensors.elements)


def is_torch_zip(region: Region) -> bool:
    """Whether the archive's first member is one of torch.save; says nothing about the rest."""
    head = region.head(512)
    name_bytes = int.from_bytes(head[26:28], "little")
    name = head[30 : 30 + name_bytes].decode("utf-8", "replace")
    return head[:4] == b"PK\x03\x04" and _MEMBER.fullmatch(name.partition("/")[2]) is not None


def _named_members(members: tuple[Member, ...]) -> dict[str, Member]:
    """By their names inside the archive's one folder."""
    folder = members[0].name.partition("/")[0] if members else ""
    named: dict[str, Member] = {}
    for member in members:
        top, _, name = member.name.partition("/")
        if top != folder or not _MEMBER.fullmatch(name):
            raise Malformed(f"{clip(member.name)} is nothing that torch.save writes", at_byte=member.header_at)
        named[name] = member
    return named


def _pickle_region(region: Region, member: Member) -> Region:
    if member.size_bytes > MAX_PICKLE_BYTES:
        raise Malformed(f"a data.pkl of {member.size_bytes} bytes, at most {MAX_PICKLE_BYTES}", at_byte=member.data_at)
    stream = region.part(member.data_at, member.size_bytes)
    crc = 0
    for window in stream.windows():
        crc = zlib.crc32(window, crc)
    if crc != member.crc32:
        raise Malformed("data.pkl has another checksum than the directory says", at_byte=member.data_at)
    return stream


def _check_storage(storage: Storage, members: dict[str, Member]) -> None:
    # A storage larger than its bytes made torch before 2.10 read and write past memory (CVE-2026-24747).
    member = members.get(f"data/{storage.key}")
    if member is None:
        raise Malformed(f"storage {clip(storage.key)} is not in the archive", at_byte=storage.at_byte)
    width = STORAGE_BYTES.get(storage.type_name, 1)  # an untyped storage counts bytes
    if storage.elements < 0 or storage.elements * width != member.size_bytes:
        sizes = f"{storage.elements} elements of {width} bytes, the archive has {member.size_bytes} bytes"
        raise Malformed(f"storage {clip(storage.key)} says {sizes}", at_byte=storage.at_byte)


class _View(msgspec.Struct, frozen=True, kw_only=True):
    """What a tensor is of its storage; ``dtype`` is empty when the storage's type says it."""

    offset: int
    size: tuple[Known, ...]
    stride: tuple[Known, ...]
    dtype: str


class _Tensors:
    """Checks each tensor as the pickle makes it, and counts."""

    def __init__(self) -> None:
        self.count = 0
        self.elements: dict[str, int] = {}

    def see(self, called: Global, arguments: Known, at_byte: int) -> None:
        if called.module != "torch._utils" or not called.name.startswith("_rebuild_tensor"):
            return
        match arguments:
            case (Storage() as storage, int(offset), tuple(size), tuple(stride), *rest) if len(size) == len(stride):
                tensor = _View(offset=offset, size=size, stride=stride, dtype=_dtype_of_v3(rest))
                self._check_view(storage, tensor, at_byte)
            case _:
                raise Malformed(f"{called} gets something other than a storage and a shape", at_byte=at_byte)

    def _check_view(self, storage: Storage, view: _View, at_byte: int) -> None:
        size = [item for item in view.size if isinstance(item, int)]
        stride = [item for item in view.stride if isinstance(item, int)]
        if len(size) != len(view.size) or len(stride) != len(view.stride) or min([view.offset, *size, *stride]) < 0:
            raise Malformed("a tensor whose shape is not made of numbers", at_byte=at_byte)
        elements = count_elements(size)
        last = view.offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
        width = TORCH_DTYPE_BYTES.get(view.dtype, 1)  # of an untyped storage, which counts bytes
        if elements > MAX_ELEMENTS or (elements and (last + 1) * width > storage.elements):
            raise Malformed(f"a tensor that reaches past its storage {clip(storage.key)}", at_byte=at_byte)
        self.count += 1
        dtype = view.dtype or storage.type_name.removesuffix("Storage")
        self.elements[dtype] = self.elements.get(dtype, 0) + elements


def _dtype_of_v3(rest: list[Known]) -> str:
    """The dtype that _rebuild_tensor_v3 gets after requires_grad and hooks; empty for the others."""
    dtype = rest[2] if len(rest) > 2 else None
    return dtype.name if isinstance(dtype, Global) else ""
