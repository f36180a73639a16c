"""What is kept of a JSON file until all files are read: a vocabulary of many megabytes is not."""

from __future__ import annotations

from typing import Any, cast

_KEPT = (
    "architectures", "auto_map", "chat_template", "custom_pipelines", "max_position_embeddings", "model_type",
    "tokenizer_class", "vocab_size", "weight_map",
)  # fmt: skip


def keep_document(value: Any) -> dict[str, Any]:
    """The keys that rules about the folder read; of ``model``, which holds a tokenizer's vocabulary, its type."""
    if not isinstance(value, dict):
        return {}
    document = cast("dict[str, Any]", value)
    kept = {key: document[key] for key in _KEPT if key in document}
    model = document.get("model")
    if isinstance(model, dict):
        kept["model"] = {"type": cast("dict[str, Any]", model).get("type")}
    return kept
