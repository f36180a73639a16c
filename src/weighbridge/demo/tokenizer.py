"""Rebuilds ``tokenizer.json`` from the vocabulary and merges that a GGUF file carries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from weighbridge.demo.gguf_file import GgufFile
from weighbridge.errors import UnreadableFile

_SPECIAL = frozenset((3, 4))
"""GGUF token types: 3 control, 4 user-defined."""


def write_tokenizer(source: GgufFile, path: Path) -> dict[str, Any]:
    """The content of ``tokenizer_config.json`` for the tokenizer written to ``path``.

    Raises:
        UnreadableFile: the file's pre-tokenizer is not SmolLM's, the only one that is rebuilt here.
    """
    kind, pre = source.field("tokenizer.ggml.model"), source.field("tokenizer.ggml.pre")
    if (kind, pre) != ("gpt2", "smollm"):
        raise UnreadableFile(f"could not convert the tokenizer: {kind}/{pre} is not SmolLM's")
    tokens = source.texts("tokenizer.ggml.tokens")
    merges = [_merge(line) for line in source.texts("tokenizer.ggml.merges")]
    tokenizer = Tokenizer(models.BPE(vocab={token: id_ for id_, token in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    special = special_tokens(source, tokens)
    added = [AddedToken(token, special=True, normalized=False) for token in special]
    tokenizer.add_special_tokens(added)  # pyright: ignore[reportUnknownMemberType]: its stub says only `list`
    tokenizer.save(str(path))
    return _config(source, tokens, special)


def special_tokens(source: GgufFile, tokens: list[str]) -> list[str]:
    """The tokens that stand for themselves and are never produced from text."""
    kinds = [int(kind) for kind in source.field("tokenizer.ggml.token_type")]
    return [token for token, kind in zip(tokens, kinds, strict=True) if kind in _SPECIAL]


def _merge(line: str) -> tuple[str, str]:
    left, _, right = line.partition(" ")
    return left, right


def _config(source: GgufFile, tokens: list[str], special: list[str]) -> dict[str, Any]:
    def named(role: str) -> str:
        return tokens[source.integer(f"tokenizer.ggml.{role}_token_id")]

    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": source.integer("llama.context_length"),
        "bos_token": named("bos"),
        "eos_token": named("eos"),
        "pad_token": named("padding"),
        "unk_token": named("unknown"),
        "additional_special_tokens": [token for token in special if token in (named("bos"), named("eos"))],
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
    }
