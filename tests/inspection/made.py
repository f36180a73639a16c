"""Folders to inspect."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.checkpoint.made import model_file, safetensors
from weighbridge.checkpoint import ModelFile
from weighbridge.inspection import Inspection, inspect


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


CONFIG = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 9, "max_position_embeddings": 64}
CLEAN: dict[str, bytes] = {
    "README.md": b"# A model\n",
    "config.json": as_json(CONFIG),
    "model.safetensors": safetensors(),
    "tokenizer.json": as_json({"model": {"type": "BPE", "vocab": {"a": 0}}}),
    "tokenizer_config.json": as_json({"chat_template": "{% for m in messages %}{{ m['content'] }}{% endfor %}"}),
}


def write(folder: Path, contents: dict[str, bytes]) -> list[ModelFile]:
    """The files, on the disk."""
    return [model_file(folder, path, data) for path, data in contents.items()]


def inspect_all(folder: Path, contents: dict[str, bytes]) -> Inspection:
    """The inspection of these files, in this process."""
    return inspect(write(folder, contents), progress=lambda done: None)
