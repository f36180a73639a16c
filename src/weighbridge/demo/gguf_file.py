"""Reads the few things that a conversion needs of a GGUF file, with types (the ``gguf`` package gives few)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import gguf
import msgspec
import numpy as np
import numpy.typing as npt

from weighbridge.errors import UnreadableFile

Floats = npt.NDArray[np.float32]


class GgufTensor(msgspec.Struct, frozen=True, kw_only=True):
    """One tensor as stored. ``shape`` is in row-major order: (out, in), or (size,)."""

    name: str
    shape: tuple[int, ...]
    data: npt.NDArray[Any]
    quantization: gguf.GGMLQuantizationType

    def floats(self, *, rows_at_once: int) -> Iterator[Floats]:
        """The values as float32 in blocks of whole rows, at most ``rows_at_once`` each; a vector is one block."""
        if len(self.shape) == 1:
            yield self._dequantized(self.data)
            return
        for start in range(0, self.shape[0], rows_at_once):
            yield self._dequantized(self.data[start : start + rows_at_once])

    def _dequantized(self, data: npt.NDArray[Any]) -> Floats:
        return cast(Floats, gguf.quants.dequantize(data, self.quantization)).astype(np.float32, copy=False)


class GgufFile:
    """A memory-mapped GGUF file: typed access to its fields, and its tensors."""

    def __init__(self, path: Path) -> None:
        self._reader = gguf.GGUFReader(path)

    def field(self, key: str) -> Any:
        """The value of field ``key``: number, text, bool or list.

        Raises:
            UnreadableFile: there is no such field.
        """
        field = self._reader.get_field(key)
        if field is None:
            raise UnreadableFile(f"could not convert the GGUF file: it has no field {key}")
        return field.contents()

    def integer(self, key: str) -> int:
        """The integer in field ``key``."""
        return int(self.field(key))

    def texts(self, key: str) -> list[str]:
        """The list of texts in field ``key``."""
        return [str(item) for item in self.field(key)]

    def tensors(self) -> list[GgufTensor]:
        """Every tensor, in file order."""
        return [
            GgufTensor(
                name=tensor.name,
                shape=tuple(int(size) for size in reversed(tensor.shape.tolist())),
                data=tensor.data,
                quantization=tensor.tensor_type,
            )
            for tensor in self._reader.tensors
        ]
