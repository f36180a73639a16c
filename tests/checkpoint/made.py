"""Small model files, whole and broken. Nothing here is ever unpickled."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from pathlib import Path
from typing import Any

from weighbridge.checkpoint import ModelFile, Region


def region(data: bytes) -> Region:
    return Region.of_bytes(data)


def model_file(folder: Path, path: str, data: bytes) -> ModelFile:
    """Writes the data and names it."""
    place = folder / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    return ModelFile(path=path, local_path=place, size_bytes=len(data))


def safetensors(
    entries: dict[str, Any] | None = None, data: bytes = bytes(40), *, header: bytes | None = None
) -> bytes:
    """By default two tensors, of 32 and 8 bytes."""
    if entries is None:
        entries = {
            "__metadata__": {"format": "pt"},
            "a.weight": {"dtype": "F32", "shape": [4, 2], "data_offsets": [0, 32]},
            "b.bias": {"dtype": "BF16", "shape": [4], "data_offsets": [32, 40]},
        }
    text = json.dumps(entries).encode() if header is None else header
    return len(text).to_bytes(8, "little") + text + data


# --- GGUF -----------------------------------------------------------------------------------------------------------


def gguf_text(text: str | bytes) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(data)) + data


def gguf_tensor(name: str, shape: list[int], kind: int, offset: int) -> bytes:
    return gguf_text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


def gguf(
    values: list[tuple[str, int, bytes]] | None = None,
    tensors: list[bytes] | None = None,
    data: bytes = bytes(64),
    *,
    version: int = 3,
    counts: tuple[int, int] | None = None,
) -> bytes:
    """By default an F32 tensor of 32 bytes and one Q4_0 block of 18."""
    if values is None:
        words = struct.pack("<IQ", 8, 2) + gguf_text("a") + gguf_text("b")
        values = [
            ("general.architecture", 8, gguf_text("llama")),
            ("llama.block_count", 4, struct.pack("<I", 1)),
            ("llama.rope.scale", 6, struct.pack("<f", 1.5)),
            ("tokenizer.ggml.add_bos_token", 7, b"\1"),
            ("tokenizer.ggml.tokens", 9, words),
        ]
    if tensors is None:
        tensors = [gguf_tensor("a", [8], 0, 0), gguf_tensor("b", [32], 2, 32)]
        data = data[:50]
    tensor_count, value_count = counts or (len(tensors), len(values))
    head = b"GGUF" + struct.pack("<IQQ", version, tensor_count, value_count)
    head += b"".join(gguf_text(key) + struct.pack("<I", kind) + value for key, kind, value in values)
    head += b"".join(tensors)
    return head + bytes(-len(head) % 32) + data


# --- pickles and torch ----------------------------------------------------------------------------------------------


def text(value: str) -> bytes:
    """BINUNICODE."""
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def number(value: int) -> bytes:
    """BININT."""
    return b"J" + struct.pack("<i", value)


def numbers(*values: int) -> bytes:
    """A tuple of numbers."""
    return b"(" + b"".join(number(value) for value in values) + b"t"


def storage(key: str = "0", elements: int = 8, kind: str = "FloatStorage") -> bytes:
    """A torch storage by its persistent id."""
    return (
        b"("
        + text("storage")
        + b"ctorch\n"
        + kind.encode()
        + b"\n"
        + text(key)
        + text("cpu")
        + number(elements)
        + b"tQ"
    )


def tensor(
    place: bytes | None = None, *, offset: int = 0, size: tuple[int, ...] = (4, 2), stride: tuple[int, ...] = (2, 1)
) -> bytes:
    """A call of _rebuild_tensor_v2."""
    arguments = (place or storage()) + number(offset) + numbers(*size) + numbers(*stride)
    hooks = b"\x89ccollections\nOrderedDict\n)R"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + arguments + hooks + b"tR"


def state_dict(*tensors: bytes) -> bytes:
    """A protocol 2 pickle of a dict of tensors."""
    items = b"".join(text(f"t{at}") + one for at, one in enumerate(tensors or (tensor(),)))
    return b"\x80\x02}(" + items + b"u."


def archive(members: dict[str, bytes], *, method: int = zipfile.ZIP_STORED) -> bytes:
    """A zip archive, by Python's own writer."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as whole:
        for name, data in members.items():
            whole.writestr(zipfile.ZipInfo(name), data, compress_type=method)
    return buffer.getvalue()


def torch_zip(pickle: bytes | None = None, **storages: bytes) -> bytes:
    """An archive as torch.save writes it; by default with one storage of 8 float32."""
    members = {"model/data.pkl": state_dict() if pickle is None else pickle, "model/byteorder": b"little"}
    members |= {f"model/data/{key.strip('_')}": data for key, data in (storages or {"_0": bytes(32)}).items()}
    return archive({**members, "model/version": b"3\n"})


# --- others ---------------------------------------------------------------------------------------------------------


def sentencepiece(pieces: int = 2) -> bytes:
    piece = b"\x0a\x01a" + b"\x15" + struct.pack("<f", 1.0) + b"\x18\x01"
    return (b"\x0a" + bytes([len(piece)]) + piece) * pieces + b"\x12\x02\x08\x01"


PNG = (
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\0\0\0\0:~\x9bU"
    b"\0\0\0\nIDATx\x9cc`\0\0\0\2\0\1H\xaf\xa4q\0\0\0\0IEND\xaeB`\x82"
)
