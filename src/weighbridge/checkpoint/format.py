"""What a file is: by its content, and what its name promises. Where the two disagree, the file is not what it says."""

from __future__ import annotations

import codecs
from enum import StrEnum
from pathlib import PurePosixPath

from weighbridge.checkpoint.pickle_stream import read_pickle
from weighbridge.checkpoint.region import Region
from weighbridge.checkpoint.torch_zip import is_torch_zip


class Format(StrEnum):
    """Kinds of files. The values are the names that policies use."""

    EMPTY = "empty"
    SAFETENSORS = "safetensors"
    GGUF = "gguf"
    TORCH = "torch"
    PICKLE = "pickle"
    JSON = "json"
    TEXT = "text"
    CODE = "code"
    IMAGE = "image"
    SENTENCEPIECE = "sentencepiece"
    ARCHIVE = "archive"
    EXECUTABLE = "executable"
    UNREAD = "unread"  # known by name, and no reader for it yet
    UNKNOWN = "unknown"


_MAGIC = (
    (b"GGUF", Format.GGUF),
    (b"\x7fELF", Format.EXECUTABLE),
    (b"MZ", Format.EXECUTABLE),
    (b"\xfe\xed\xfa\xce", Format.EXECUTABLE), (b"\xfe\xed\xfa\xcf", Format.EXECUTABLE),
    (b"\xce\xfa\xed\xfe", Format.EXECUTABLE), (b"\xcf\xfa\xed\xfe", Format.EXECUTABLE),
    (b"\xca\xfe\xba\xbe", Format.EXECUTABLE), (b"\0asm", Format.EXECUTABLE),
    (b"\x1f\x8b", Format.ARCHIVE), (b"BZh", Format.ARCHIVE), (b"\xfd7zXZ\0", Format.ARCHIVE),
    (b"\x28\xb5\x2f\xfd", Format.ARCHIVE), (b"7z\xbc\xaf\x27\x1c", Format.ARCHIVE), (b"Rar!\x1a\x07", Format.ARCHIVE),
    (b"\x04\x22\x4d\x18", Format.ARCHIVE), (b"PK\x05\x06", Format.ARCHIVE),
    (b"\x89PNG\r\n\x1a\n", Format.IMAGE), (b"\xff\xd8\xff", Format.IMAGE), (b"GIF87a", Format.IMAGE),
    (b"GIF89a", Format.IMAGE),
    (b"\x89HDF\r\n\x1a\n", Format.UNREAD), (b"\x93NUMPY", Format.UNREAD),
)  # fmt: skip

_CODE_SUFFIXES = (
    ".py", ".pyi", ".pyw", ".ipynb", ".sh", ".bash", ".zsh", ".bat", ".cmd", ".ps1", ".js", ".mjs", ".ts", ".rb",
    ".pl", ".lua", ".c", ".cc", ".cpp", ".cu", ".h", ".hpp", ".rs", ".go", ".java", ".php", ".vbs", ".jl", ".r",
)  # fmt: skip
_TEXT_SUFFIXES = (
    ".txt", ".md", ".yaml", ".yml", ".toml", ".cfg", ".ini", ".csv", ".tsv", ".jsonl", ".jinja", ".svg", ".html",
    ".xml",
)  # fmt: skip
_UNREAD_SUFFIXES = (
    ".onnx", ".h5", ".hdf5", ".keras", ".npy", ".npz", ".msgpack", ".tflite", ".pb", ".joblib", ".mlmodel",
)  # fmt: skip
_PROMISES = {
    **dict.fromkeys((".pkl", ".pickle"), (Format.PICKLE,)),
    **dict.fromkeys((".bin", ".pt", ".pth", ".ckpt"), (Format.TORCH, Format.PICKLE)),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".gif", ".webp"), (Format.IMAGE,)),
    **dict.fromkeys(_UNREAD_SUFFIXES, (Format.UNREAD,)),
    **dict.fromkeys(_TEXT_SUFFIXES, (Format.TEXT,)),
    **dict.fromkeys(_CODE_SUFFIXES, (Format.CODE,)),
    ".safetensors": (Format.SAFETENSORS,),
    ".gguf": (Format.GGUF,),
    ".json": (Format.JSON,),
    ".model": (Format.SENTENCEPIECE,),
}
_PICKLE_SUFFIXES = frozenset(suffix for suffix, formats in _PROMISES.items() if Format.PICKLE in formats)
_TEXT_PICKLE_BYTES = 1 << 20


def expected_formats(path: str) -> frozenset[Format]:
    """What the name promises; empty when it promises nothing."""
    return frozenset(_PROMISES.get(PurePosixPath(path.lower()).suffix, ()))


def sniff(region: Region, path: str) -> Format:
    """What the content is; the name decides only between kinds that have no mark of their own.

    A text may be JSON or code by its name, a binary file without a mark may be a pickle, safetensors or SentencePiece.
    """
    if region.size_bytes == 0:
        return Format.EMPTY
    head = region.head(512)
    marked = _by_magic(region, head)
    if marked is not None:
        return marked
    suffix = PurePosixPath(path.lower()).suffix
    if _begins_as_safetensors(region, head):
        return Format.SAFETENSORS
    if suffix in _PICKLE_SUFFIXES or _begins_as_pickle(head):
        return Format.PICKLE
    if is_text(region):
        return _kind_of_text(region, suffix)
    if suffix == ".model":
        return Format.SENTENCEPIECE
    if suffix == ".safetensors":
        return Format.SAFETENSORS  # a broken one: its reader says where
    return Format.UNREAD if Format.UNREAD in expected_formats(path) else Format.UNKNOWN


def is_text(region: Region) -> bool:
    """Whether all of it is UTF-8 without control characters but white space."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for window in region.windows():
            if window.translate(None, _ALLOWED_BYTES):
                return False
            decoder.decode(window)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


_ALLOWED_BYTES = bytes(byte for byte in range(256) if byte >= 32 and byte != 127) + b"\t\n\r\f"


def _by_magic(region: Region, head: bytes) -> Format | None:
    if head.startswith(b"PK\x03\x04"):
        return Format.TORCH if is_torch_zip(region) else Format.ARCHIVE
    if head[257:262] == b"ustar":
        return Format.ARCHIVE
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Format.IMAGE
    marked = next(((mark, kind) for mark, kind in _MAGIC if head.startswith(mark)), None)
    if marked is None or (marked[0].isalnum() and is_text(region)):
        return None  # a text may begin with MZ or BZh
    return marked[1]


def _begins_as_safetensors(region: Region, head: bytes) -> bool:
    header_bytes = int.from_bytes(head[:8], "little")
    return head[8:9] == b"{" and 2 <= header_bytes <= region.size_bytes - 8


def _begins_as_pickle(head: bytes) -> bool:
    return len(head) > 2 and head[0] == 0x80 and head[1] <= 5


def _kind_of_text(region: Region, suffix: str) -> Format:
    if suffix in _CODE_SUFFIXES or region.head(2) == b"#!":
        return Format.CODE
    if _is_text_pickle(region):
        return Format.PICKLE
    return Format.JSON if suffix == ".json" else Format.TEXT


def _is_text_pickle(region: Region) -> bool:
    """Whether a text is a pickle of protocol 0 that names a global; prose breaks the walk within a few bytes."""
    if region.size_bytes > _TEXT_PICKLE_BYTES:
        return False
    report = read_pickle(region)
    return report.malformed is None and bool(report.globals)
