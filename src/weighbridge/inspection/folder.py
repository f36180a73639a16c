"""Rules about the folder as a whole: configurations, indexes, and what refers to what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, cast

from weighbridge.checkpoint.jsonfile import clip
from weighbridge.inspection.files import is_safe_path
from weighbridge.inspection.survey import Survey
from weighbridge.inspection.templates import check_template

_INDEX_SUFFIX = ".index.json"
_CODE_KEYS = ("auto_map", "custom_pipelines")  # both name classes in Python files that transformers then imports
_MAX_DEPTH = 8

# The task of an architecture, by how its name ends; the Hub's own pipeline tags.
PIPELINE_TAGS = (
    ("ForCausalLM", "text-generation"),
    ("LMHeadModel", "text-generation"),
    ("ForMaskedLM", "fill-mask"),
    ("ForSequenceClassification", "text-classification"),
    ("ForTokenClassification", "token-classification"),
    ("ForQuestionAnswering", "question-answering"),
    ("ForImageClassification", "image-classification"),
    ("ForObjectDetection", "object-detection"),
    ("ForSpeechSeq2Seq", "automatic-speech-recognition"),
    ("ForCTC", "automatic-speech-recognition"),
    ("ForAudioClassification", "audio-classification"),
)


def inspect_folder(survey: Survey) -> None:
    """Adds what only the files together tell."""
    for path, document in survey.documents.items():
        if path.endswith(_INDEX_SUFFIX):
            _check_index(path, document, survey)
        _check_remote_code(path, document, survey)
        _check_templates(path, document, survey)
    documents = survey.documents
    _read_config(documents.get("config.json", {}), survey)
    _read_tokenizer(documents.get("tokenizer.json", {}), documents.get("tokenizer_config.json", {}), survey)
    if not any(survey.tensors.values()):
        survey.find("no-weights", "", "no file holds tensors that could be counted")


def _read_config(config: Mapping[str, Any], survey: Survey) -> None:
    architectures = config.get("architectures")
    if isinstance(architectures, list) and architectures and isinstance(architectures[0], str):
        name = architectures[0][:100]
        survey.about["architecture"] = name
        tags = [tag for ending, tag in PIPELINE_TAGS if name.endswith(ending)]
        survey.about["pipeline_tag"] = tags[0] if tags else ""
    if isinstance(config.get("model_type"), str):
        survey.about["model_type"] = config["model_type"][:100]
    for key, fact in (("max_position_embeddings", "context_length"), ("vocab_size", "vocabulary")):
        number = config.get(key)
        if type(number) is int and 0 < number < 1 << 53:
            survey.about[fact] = number


def _read_tokenizer(tokenizer: Mapping[str, Any], config: Mapping[str, Any], survey: Survey) -> None:
    model = tokenizer.get("model")
    if isinstance(model, dict) and isinstance(cast("dict[str, Any]", model).get("type"), str):
        survey.about["tokenizer"] = cast("dict[str, str]", model)["type"][:100]
    elif isinstance(config.get("tokenizer_class"), str):
        survey.about["tokenizer"] = config["tokenizer_class"][:100]


def _check_templates(path: str, document: Mapping[str, Any], survey: Survey) -> None:
    for template in _templates(document.get("chat_template")):
        check_template(template, path, survey)


def _templates(value: Any) -> Iterator[str]:
    """The texts of a chat_template: one text, or a list of ``{name, template}``."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            if isinstance(item, dict) and isinstance(cast("dict[str, Any]", item).get("template"), str):
                yield cast("dict[str, str]", item)["template"]


def _check_remote_code(path: str, document: Mapping[str, Any], survey: Survey) -> None:
    for key in _CODE_KEYS:
        for reference in sorted(set(_texts(document.get(key), _MAX_DEPTH))):
            if "--" in reference:
                survey.find("remote-code-elsewhere", path, f"{key} names {clip(reference)}, which is in another repo")
            elif key == "auto_map" or "." in reference:
                survey.find("remote-code", path, f"{key} names {clip(reference)}")


def _texts(value: Any, depth: int) -> Iterator[str]:
    """All texts inside a value."""
    if isinstance(value, str):
        yield value
    elif depth and isinstance(value, dict):
        for item in cast("dict[str, Any]", value).values():
            yield from _texts(item, depth - 1)
    elif depth and isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _texts(item, depth - 1)


def _check_index(path: str, document: Mapping[str, Any], survey: Survey) -> None:
    value = document.get("weight_map")
    if not isinstance(value, dict):
        survey.find("weights-index", path, "it has no weight_map")
        return
    weight_map = cast("dict[str, Any]", value)
    folder = PurePosixPath(path).parent
    shards: dict[str, set[str]] = {}
    for tensor, shard in weight_map.items():
        if not isinstance(shard, str) or not is_safe_path(shard):
            survey.find(
                "weights-index", path, f"tensor {clip(tensor)} would be in {clip(shard)}, outside of the folder"
            )
            return
        shards.setdefault(str(folder / shard), set()).add(tensor)
    for shard, tensors in sorted(shards.items()):
        _check_shard(path, shard, tensors, survey)


def _check_shard(path: str, shard: str, tensors: set[str], survey: Survey) -> None:
    if shard not in survey.paths:
        survey.find("weights-index", path, f"the shard {clip(shard)} is not there")
        return
    inside = survey.tensor_names.get(shard)
    if inside is None:  # a pickle, or a file with a finding of its own
        return
    _report_difference("weights-index", path, tensors - inside, f"not in {clip(shard)}", survey)
    _report_difference(
        "weights-index-gap", path, inside - tensors, f"in {clip(shard)}, which the index does not say", survey
    )


def _report_difference(rule_id: str, path: str, tensors: set[str] | frozenset[str], where: str, survey: Survey) -> None:
    if tensors:
        others = f" and {len(tensors) - 1} more tensors" if len(tensors) > 1 else ""
        survey.find(rule_id, path, f"{clip(min(tensors))}{others}: {where}")
