"""Makes the demo's checkpoint folder: the layout that every Hugging Face client expects, out of one GGUF file."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from weighbridge.demo.gguf_file import GgufFile
from weighbridge.demo.source import DemoSource
from weighbridge.demo.tokenizer import write_tokenizer
from weighbridge.demo.weights import Heads, write_weights

_CARD = """\
---
license: apache-2.0
language:
- en
base_model: HuggingFaceTB/SmolLM2-135M-Instruct
tags:
- demo
---

# SmolLM2-135M-Instruct

A copy of [SmolLM2-135M-Instruct](https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct) by Hugging Face,
made by `weighbridge demo` to show one release from a folder to a download that anyone can check.

## What it is
A language model of {millions:.1f} million parameters with the Llama architecture that follows instructions in English.
It was trained by Hugging Face; nothing was trained or tuned here.

## Where these files come from
The weights come from `{gguf}` in the package `{package}`. That file is **quantized** (4 and 8 bits); the
values were expanded to bfloat16 and put into the Hugging Face layout. So they are near the original weights, and not
equal to them: expect slightly worse answers than the original gives.

## Limitations
It is small. It states wrong facts fluently, follows long instructions poorly, knows little beyond English, and may
repeat what its training text holds. Do not use it where an error matters.

## Evaluation
None was run on these files, neither of quality nor of safety.

## Use
```python
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("acme/SmolLM2-135M-Instruct")
model = AutoModelForCausalLM.from_pretrained("acme/SmolLM2-135M-Instruct")
```
"""


class CheckpointFolder(msgspec.Struct, frozen=True, kw_only=True):
    """What was made."""

    path: Path
    files: int
    size_bytes: int
    parameters: int


def make_checkpoint_folder(
    source: DemoSource, path: Path, *, on_bytes: Callable[[int], None] = lambda _: None
) -> CheckpointFolder:
    """The folder at ``path``, made new, with the model of ``source``. ``on_bytes`` gets bytes of weights as written.

    Raises:
        FileExistsError: there is something at ``path`` already.
        UnreadableFile: the GGUF file is not a llama model with SmolLM's tokenizer.
    """
    path.mkdir(parents=True)
    gguf = GgufFile(source.gguf)
    heads = Heads(
        queries=gguf.integer("llama.attention.head_count"), keys=gguf.integer("llama.attention.head_count_kv")
    )
    parameters = write_weights(gguf, path / "model.safetensors", heads=heads, on_bytes=on_bytes)
    tokenizer_config = write_tokenizer(gguf, path / "tokenizer.json")
    _write_json(path / "tokenizer_config.json", tokenizer_config)
    _write_json(path / "config.json", model_config(gguf, heads))
    _write_json(path / "generation_config.json", _token_ids(gguf))
    (path / "chat_template.jinja").write_text(str(gguf.field("tokenizer.chat_template")), "utf-8")
    card = _CARD.format(millions=parameters / 1e6, gguf=source.gguf.name, package=source.package)
    (path / "README.md").write_text(card, "utf-8")
    shutil.copyfile(source.licence, path / "LICENSE")
    sizes = [file.stat().st_size for file in path.iterdir()]
    return CheckpointFolder(path=path, files=len(sizes), size_bytes=sum(sizes), parameters=parameters)


def model_config(gguf: GgufFile, heads: Heads) -> dict[str, Any]:
    """The content of ``config.json``: a Llama model as the GGUF file's fields describe it."""
    hidden = gguf.integer("llama.embedding_length")
    tied = all(tensor.name != "output.weight" for tensor in gguf.tensors())
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "attention_bias": False,
        "attention_dropout": 0.0,
        **_token_ids(gguf),
        "head_dim": hidden // heads.queries,
        "hidden_act": "silu",
        "hidden_size": hidden,
        "initializer_range": 0.02,
        "intermediate_size": gguf.integer("llama.feed_forward_length"),
        "max_position_embeddings": gguf.integer("llama.context_length"),
        "mlp_bias": False,
        "num_attention_heads": heads.queries,
        "num_hidden_layers": gguf.integer("llama.block_count"),
        "num_key_value_heads": heads.keys,
        "rms_norm_eps": round(float(gguf.field("llama.attention.layer_norm_rms_epsilon")), 12),
        "rope_theta": float(gguf.field("llama.rope.freq_base")),
        "tie_word_embeddings": tied,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "vocab_size": gguf.integer("llama.vocab_size"),
    }


def _token_ids(gguf: GgufFile) -> dict[str, int]:
    roles = {"bos_token_id": "bos", "eos_token_id": "eos", "pad_token_id": "padding"}
    return {key: gguf.integer(f"tokenizer.ggml.{role}_token_id") for key, role in roles.items()}


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")
