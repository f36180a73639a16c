"""What the files of a checkpoint folder say by themselves, read from configurations and headers, never from weights.

    facts = read_folder(Path("SmolLM"))
    facts.metadata                  # {"library_name": "transformers", "pipeline_tag": "text-generation"}
    facts.details                   # (("Architecture", "LlamaForCausalLM", "config.json"), …)

A file that cannot be read says nothing: the inspection names what is wrong with it.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import msgspec

from weighbridge.checkpoint import ModelFile, open_region, read_json, read_safetensors
from weighbridge.documents.licences import MAX_LICENCE_BYTES, recognise_licence
from weighbridge.errors import UnreadableFile

MAX_FILES = 100_000
_MAX_JSON_BYTES = 1 << 20
_MAX_WORD = 200
_LICENCE_NAMES = ("license", "license.txt", "license.md", "licence", "licence.txt", "licence.md", "copying")
# What a model class of this kind is for, by its name's end; ends that serve several tasks are left out.
_TASKS = {
    "ForCausalLM": "text-generation",
    "LMHeadModel": "text-generation",
    "ForMaskedLM": "fill-mask",
    "ForSequenceClassification": "text-classification",
    "ForTokenClassification": "token-classification",
    "ForQuestionAnswering": "question-answering",
    "ForImageClassification": "image-classification",
    "ForObjectDetection": "object-detection",
    "ForAudioClassification": "audio-classification",
    "ForCTC": "automatic-speech-recognition",
    "ForSpeechSeq2Seq": "automatic-speech-recognition",
}
_SKIPPED = frozenset({".git", ".cache", ".release", ".eval_results"})


class FolderFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What was found.

    ``metadata`` belongs into the front matter, and ``sources`` says which file each key is from; ``details`` are
    (what, value, file that says so); ``files`` are (path, size in bytes).
    """

    metadata: dict[str, Any]
    sources: dict[str, str]
    details: tuple[tuple[str, str, str], ...]
    files: tuple[tuple[str, int], ...]
    licence_file: str | None


def read_folder(folder: Path) -> FolderFacts:
    """What the folder says.

    Raises:
        UnreadableFile: the folder cannot be listed.
    """
    files = sorted(_list(folder))
    config = _read_object(folder / "config.json")
    tokenizer = _read_object(folder / "tokenizer_config.json")
    licence_file = _licence_file(folder)
    found = [*_library(folder, config), *_task(config), *_base_model(folder), *_licence(folder, licence_file)]
    return FolderFacts(
        metadata={key: value for key, value, _ in found},
        sources={key: source for key, _, source in found},
        details=(*_architecture(config), *_weights(folder, files), *_tokenizer(folder, tokenizer)),
        files=tuple(files),
        licence_file=licence_file,
    )


Found = Iterator[tuple[str, str, str]]


def _library(folder: Path, config: dict[str, Any]) -> Found:
    if (folder / "modules.json").is_file():
        yield "library_name", "sentence-transformers", "modules.json"
    elif (folder / "model_index.json").is_file():
        yield "library_name", "diffusers", "model_index.json"
    elif (folder / "adapter_config.json").is_file():
        yield "library_name", "peft", "adapter_config.json"
    elif _word(config.get("model_type")) and _first(config.get("architectures")):
        yield "library_name", "transformers", "config.json"


def _task(config: dict[str, Any]) -> Found:
    architecture = _first(config.get("architectures"))
    tasks = {task for end, task in _TASKS.items() if architecture.endswith(end)}
    if len(tasks) == 1:
        yield "pipeline_tag", tasks.pop(), "config.json"


def _base_model(folder: Path) -> Found:
    """The model that an adapter adapts, when it is named as a hub names it; a local path says nothing to others."""
    base = _word(_read_object(folder / "adapter_config.json").get("base_model_name_or_path"))
    if base.count("/") == 1 and not base.startswith((".", "/", "~")) and " " not in base and not base.endswith("/"):
        yield "base_model", base, "adapter_config.json"


def _licence_file(folder: Path) -> str | None:
    names = {path.name.lower(): path.name for path in folder.iterdir()}
    return next((names[name] for name in _LICENCE_NAMES if name in names), None)


def _licence(folder: Path, name: str | None) -> Found:
    if name is None:
        return
    path = folder / name
    try:
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= MAX_LICENCE_BYTES:
            recognised = recognise_licence(path.read_text(encoding="utf-8"))
            if recognised:
                yield "license", recognised, name
    except (OSError, UnicodeDecodeError):
        return


def _architecture(config: dict[str, Any]) -> Found:
    for what, value in (
        ("Architecture", _first(config.get("architectures"))),
        ("Model type", _word(config.get("model_type"))),
        ("Context length", _number(config.get("max_position_embeddings"), "tokens")),
        ("Layers", _number(config.get("num_hidden_layers"))),
        ("Hidden size", _number(config.get("hidden_size"))),
        ("Vocabulary", _number(config.get("vocab_size"), "tokens")),
    ):
        if value:
            yield what, value, "config.json"


def _weights(folder: Path, files: list[tuple[str, int]]) -> Found:
    """Parameters and their types over all safetensors files; nothing if one of them cannot be read."""
    names = [path for path, _ in files if path.endswith(".safetensors")]
    dtypes: Counter[str] = Counter()
    for path in names:
        local = folder / path
        try:
            with open_region(ModelFile(path=path, local_path=local, size_bytes=local.stat().st_size)) as region:
                for tensor in read_safetensors(region).tensors:
                    dtypes[tensor.dtype] += tensor.elements
        except (UnreadableFile, OSError):
            return
    if dtypes:
        source = names[0] if len(names) == 1 else f"{len(names)} safetensors files"
        yield "Parameters", f"{dtypes.total():,}", source
        yield "Number types", ", ".join(f"{dtype} ({count:,})" for dtype, count in dtypes.most_common()), source


def _tokenizer(folder: Path, tokenizer: dict[str, Any]) -> Found:
    name = _word(tokenizer.get("tokenizer_class"))
    if name:
        yield "Tokenizer", name, "tokenizer_config.json"
    if (folder / "chat_template.jinja").is_file():
        yield "Chat template", "yes", "chat_template.jinja"
    elif tokenizer.get("chat_template"):
        yield "Chat template", "yes", "tokenizer_config.json"


def _list(folder: Path) -> Iterator[tuple[str, int]]:
    """(path, size) of each regular file that would be released."""
    count = 0
    for place, folders, names in os.walk(folder, onerror=_raise):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED)
        for name in names:
            path = Path(place) / name
            if path.is_file() and not path.is_symlink() and name != "model.sig":
                count += 1
                if count > MAX_FILES:
                    raise UnreadableFile(f"could not read {folder}: it has over {MAX_FILES} files")
                yield path.relative_to(folder).as_posix(), path.stat().st_size


def _raise(error: OSError) -> None:
    raise UnreadableFile(f"could not read the folder {error.filename}: {error.strerror}") from error


def _read_object(path: Path) -> dict[str, Any]:
    try:
        with open_region(ModelFile(path=path.name, local_path=path, size_bytes=path.stat().st_size)) as region:
            value = read_json(region, max_bytes=_MAX_JSON_BYTES)
    except (UnreadableFile, OSError):
        return {}
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}


def _first(value: Any) -> str:
    return _word(cast(list[Any], value)[0]) if isinstance(value, list) and value else ""


def _word(value: Any) -> str:
    """A short text on one line that means nothing to Markdown; "" for anything else."""
    if not isinstance(value, str) or len(value) > _MAX_WORD or not value.isprintable():
        return ""
    return value.strip() if not set(value) & set("`|<>[]*\\") else ""


def _number(value: Any, unit: str = "") -> str:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 1 << 60:
        return ""
    return f"{value:,} {unit}".strip()
