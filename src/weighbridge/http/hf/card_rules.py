"""What is wrong with a card's front matter: errors refuse the card, warnings tell.

    remarks = check_metadata({"license": "apache-2.0", "language": "no"}, repo_type="model")

The rules are those of the Hugging Face Hub's card specifications (docs/hub: model-cards, datasets-cards).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from weighbridge.http.hf.card_words import LICENSES, PIPELINE_TAGS

_REPO_ID = re.compile(r"[\w.-]{1,96}(/[\w.-]{1,96})?")
_LANGUAGE = re.compile(r"[a-z]{2,3}([-_][A-Za-z0-9]{2,8})*|multilingual|code|other")
_RELATIONS = frozenset({"adapter", "finetune", "merge", "quantized"})
_MAX_LISTED = 1000


@dataclass
class Remarks:
    """What was found; each an English sentence that names the field."""

    errors: list[str] = field(default_factory=list[str])
    warnings: list[str] = field(default_factory=list[str])


def check_metadata(metadata: Mapping[str, Any], *, repo_type: str) -> Remarks:
    """What is wrong with this front matter of a ``model`` or ``dataset`` card."""
    remarks = Remarks()
    for name, check in _CHECKS.items():
        if metadata.get(name) is not None:
            check(metadata[name], name, remarks)
    if repo_type == "model" and metadata.get("model-index") is not None:
        _check_model_index(metadata["model-index"], remarks)
    _check_licence_details(metadata, remarks)
    return remarks


def _strings(value: Any, name: str, remarks: Remarks) -> list[str]:
    """``value`` as a list of strings; an error and nothing when it is neither a string nor a list of them."""
    listed = _list(value)
    items = [value] if listed is None else listed
    if len(items) > _MAX_LISTED:
        remarks.errors.append(f'"{name}" must have at most {_MAX_LISTED} items')
        return []
    wrong = [item for item in items if not isinstance(item, str)]
    if wrong:
        quoted = ' (write "no" in quotes: YAML reads it as false)' if wrong[0] is False else ""
        remarks.errors.append(f'"{name}" must be a string or a list of strings{quoted}')
        return []
    return items


def _check_strings(value: Any, name: str, remarks: Remarks) -> None:
    _strings(value, name, remarks)


def _check_string(value: Any, name: str, remarks: Remarks) -> None:
    if not isinstance(value, str):
        remarks.errors.append(f'"{name}" must be a string')


def _check_list(value: Any, name: str, remarks: Remarks) -> None:
    if not isinstance(value, list):
        remarks.errors.append(f'"{name}" must be an array')
    else:
        _strings(value, name, remarks)


def _check_licence(value: Any, name: str, remarks: Remarks) -> None:
    for licence in _strings(value, name, remarks):
        if licence.lower() not in LICENSES:
            remarks.errors.append(
                f'"license" must be an identifier that the Hugging Face Hub knows, and "{licence}" is not: '
                'use "other" with "license_name" and "license_link"'
            )


def _check_licence_details(metadata: Mapping[str, Any], remarks: Remarks) -> None:
    if metadata.get("license") is None:
        remarks.warnings.append('"license" is missing: nobody knows what they may do with this')
    elif metadata["license"] == "other" and not isinstance(metadata.get("license_name"), str):
        remarks.warnings.append('"license_name" is missing: name the licence that "other" stands for')


def _check_language(value: Any, name: str, remarks: Remarks) -> None:
    for language in _strings(value, name, remarks):
        if not _LANGUAGE.fullmatch(language):
            remarks.errors.append(
                f'"{name}" must only contain ISO 639 codes, "multilingual" or "code", not "{language}"'
            )


def _check_repo_ids(value: Any, name: str, remarks: Remarks) -> None:
    for repo_id in _strings(value, name, remarks):
        if not _REPO_ID.fullmatch(repo_id):
            remarks.errors.append(f'"{name}" must only contain repo ids, and "{repo_id}" is none')


def _check_datasets(value: Any, name: str, remarks: Remarks) -> None:
    for repo_id in _strings(value, name, remarks):
        if not _REPO_ID.fullmatch(repo_id):
            remarks.warnings.append(f'"{name}" has "{repo_id}", which is not a dataset id')


def _check_pipeline_tag(value: Any, name: str, remarks: Remarks) -> None:
    if not isinstance(value, str):
        remarks.errors.append(f'"{name}" must be a string')
    elif value not in PIPELINE_TAGS:
        remarks.warnings.append(f'"{name}" is "{value}", which is not a task that the Hugging Face Hub knows')


def _check_relation(value: Any, name: str, remarks: Remarks) -> None:
    if value not in _RELATIONS:
        remarks.errors.append(f'"{name}" must be one of {", ".join(sorted(_RELATIONS))}')


def _check_mapping(value: Any, name: str, remarks: Remarks) -> None:
    if not isinstance(value, dict):
        remarks.errors.append(f'"{name}" must be an object')


def _check_model_index(value: Any, remarks: Remarks) -> None:
    entries = _list(value)
    if entries is None:
        remarks.errors.append('"model-index" must be an array')
        return
    for number, entry in enumerate(entries[:_MAX_LISTED]):
        at = f"model-index[{number}]"
        results = _list(_dig(entry, "results"))
        if not isinstance(_dig(entry, "name"), str):
            remarks.errors.append(f'"{at}.name" is required')
        if results is None:
            remarks.errors.append(f'"{at}.results" must be an array')
            continue
        for position, result in enumerate(results[:_MAX_LISTED]):
            _check_result(result, f"{at}.results[{position}]", remarks)


def _check_result(result: Any, at: str, remarks: Remarks) -> None:
    for path in ("task.type", "dataset.type", "dataset.name"):
        if not isinstance(_dig(result, path), str):
            remarks.errors.append(f'"{at}.{path}" is required')
    metrics = _list(_dig(result, "metrics"))
    if metrics is None:
        remarks.errors.append(f'"{at}.metrics" must be an array')
        return
    for number, metric in enumerate(metrics[:_MAX_LISTED]):
        if not isinstance(_dig(metric, "type"), str):
            remarks.errors.append(f'"{at}.metrics[{number}].type" is required')
        if _dig(metric, "value") is None:
            remarks.errors.append(f'"{at}.metrics[{number}].value" is required')


def _list(value: Any) -> list[Any] | None:
    return cast("list[Any]", value) if isinstance(value, list) else None


def _dig(value: Any, path: str) -> Any:
    for key in path.split("."):
        value = cast("dict[Any, Any]", value).get(key) if isinstance(value, dict) else None
    return value


_CHECKS: Mapping[str, Callable[[Any, str, Remarks], None]] = {
    "license": _check_licence,
    "license_name": _check_string,
    "license_link": _check_string,
    "language": _check_language,
    "tags": _check_list,
    "datasets": _check_datasets,
    "metrics": _check_strings,
    "base_model": _check_repo_ids,
    "base_model_relation": _check_relation,
    "new_version": _check_repo_ids,
    "pipeline_tag": _check_pipeline_tag,
    "library_name": _check_string,
    "thumbnail": _check_string,
    "pretty_name": _check_string,
    "task_categories": _check_strings,
    "task_ids": _check_strings,
    "size_categories": _check_strings,
    "extra_gated_prompt": _check_string,
    "extra_gated_heading": _check_string,
    "extra_gated_button_content": _check_string,
    "extra_gated_fields": _check_mapping,
}
