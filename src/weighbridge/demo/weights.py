"""Writes ``model.safetensors`` from the GGUF tensors, one block of rows at a time, so that memory stays small.

Sources: the safetensors format (8-byte little-endian header length, JSON header padded with spaces to 8 bytes, then
the tensors back to back) and llama.cpp's ``convert_hf_to_gguf.py``, whose names and permutation are undone here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import ml_dtypes
import msgspec
import numpy as np

from weighbridge.demo.gguf_file import Floats, GgufFile, GgufTensor
from weighbridge.errors import UnreadableFile

_ROWS_AT_ONCE = 4096
_BF16_BYTES = 2
_WHOLE = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
_BLOCK = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_norm": "input_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "ffn_norm": "post_attention_layernorm",
}


class Heads(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers of attention heads, for queries and for keys."""

    queries: int
    keys: int


def safetensors_name(gguf_name: str) -> str | None:
    """The Hugging Face name of a llama tensor; None for one that the Hugging Face layout has no place for.

    Raises:
        UnreadableFile: the name is not one of a llama model.
    """
    stem = gguf_name.removesuffix(".weight")
    if stem == "rope_freqs":
        return None
    if stem in _WHOLE:
        return f"{_WHOLE[stem]}.weight"
    block = re.fullmatch(r"blk\.(\d+)\.(\w+)", stem)
    if block is None or block[2] not in _BLOCK:
        raise UnreadableFile(f"could not convert tensor {gguf_name}: not a tensor of a llama model")
    return f"model.layers.{block[1]}.{_BLOCK[block[2]]}.weight"


def unpermute(weight: Floats, *, heads: int) -> Floats:
    """Rows of ``weight`` (float32 [rows, columns]) in the order of the Hugging Face layout.

    llama.cpp interleaves the two halves of each head's rotary dimensions; this undoes it.
    """
    rows, columns = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def write_weights(source: GgufFile, path: Path, *, heads: Heads, on_bytes: Callable[[int], None]) -> int:
    """Number of parameters written to ``path`` as bfloat16. ``on_bytes`` gets the number of bytes just written."""
    named = [(safetensors_name(tensor.name), tensor) for tensor in source.tensors()]
    tensors = sorted(((name, tensor) for name, tensor in named if name is not None), key=lambda pair: pair[0])
    header, parameters = _header(tensors)
    with path.open("wb") as file:
        on_bytes(file.write(len(header).to_bytes(8, "little") + header))
        for _, tensor in tensors:
            for block in _blocks(tensor, heads):
                on_bytes(file.write(block.astype(ml_dtypes.bfloat16).tobytes()))
    return parameters


def _blocks(tensor: GgufTensor, heads: Heads) -> Iterator[Floats]:
    if tensor.name.endswith((".attn_q.weight", ".attn_k.weight")):
        count = heads.queries if ".attn_q." in tensor.name else heads.keys
        whole = np.concatenate(list(tensor.floats(rows_at_once=_ROWS_AT_ONCE)))
        yield unpermute(whole, heads=count)
        return
    yield from tensor.floats(rows_at_once=_ROWS_AT_ONCE)


def _header(tensors: list[tuple[str, GgufTensor]]) -> tuple[bytes, int]:
    entries: dict[str, object] = {"__metadata__": {"format": "pt"}}
    offset = parameters = 0
    for name, tensor in tensors:
        count = int(np.prod(tensor.shape))
        end = offset + count * _BF16_BYTES
        entries[name] = {"dtype": "BF16", "shape": list(tensor.shape), "data_offsets": [offset, end]}
        offset, parameters = end, parameters + count
    text = json.dumps(entries, separators=(",", ":")).encode()
    return text + b" " * (-len(text) % 8), parameters
