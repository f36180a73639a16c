"""The bill of materials: CycloneDX 1.7 JSON of one model and its files.

    text = build_bom(repo="acme/m", revision=oid, digest=digest, files=[("config.json", sha256, 12)],
                     card=card_facts(…), facts=inspection.facts, made_at=rfc3339(now_ms), hub="https://hub.example")

Written as plain values, because cyclonedx-python-lib has no model card (its issue 912); its strict validator is the
oracle in the tests. Nothing is claimed that is neither in the card nor measured. Deterministic given its inputs.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast
from urllib.parse import quote, urlsplit

from weighbridge import __version__
from weighbridge.documents.licences import spdx_id

SCHEMA = "http://cyclonedx.org/schema/bom-1.7.schema.json"
# Ours, made once: uuid5 of it and a release digest is that release's serial number.
_NAMESPACE = uuid.UUID("8f6f0d5e-6d0c-5b52-9a53-6f2f0d3f5b1e")
_MAX_WORDS = 1000


def build_bom(
    *,
    repo: str,
    revision: str,
    digest: str,
    files: Sequence[tuple[str, str, int]],
    card: Mapping[str, Any],
    facts: Mapping[str, Any],
    made_at: str,
    hub: str,
    repo_type: str = "model",
) -> str:
    """The document's text.

    Args:
        repo: ``namespace/name``.
        revision: id of the candidate commit.
        digest: release digest, hex sha256.
        files: (path, hex sha256, size in bytes) of each candidate file.
        card: what the card says (``card.card_facts``).
        facts: what the inspection measured.
        made_at: RFC 3339.
        hub: public URL of the hub, without a slash at the end.
        repo_type: model or dataset.
    """
    is_model = repo_type == "model"
    page = f"{hub}/{repo}" if is_model else f"{hub}/{repo_type}s/{repo}"
    namespace, _, name = repo.partition("/")
    purl = f"pkg:huggingface/{quote(namespace, safe='')}/{quote(name, safe='')}@{quote(revision, safe='')}"
    component: dict[str, Any] = {
        "type": "machine-learning-model" if is_model else "data",
        "bom-ref": purl,
        "group": namespace,
        "name": name,
        "version": revision,
        **_some(purl=f"{purl}?repository_url={quote(hub, safe='')}" if is_model else ""),
        **_some(licenses=_licences(card)),
        **_some(pedigree=_pedigree(card)),
        "externalReferences": [{"type": "distribution", "url": page}, *_card_links(files, page, revision)],
        "properties": _properties({"weighbridge:release-digest": digest, **_measured(facts), **_said(card)}),
        "components": [_file(*file) for file in sorted(files)],
        **_some(modelCard=_model_card(card, facts) if is_model else {}),
    }
    bom = {
        "$schema": SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.7",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, digest)}",
        "version": 1,
        "metadata": {
            "timestamp": made_at,
            "lifecycles": [{"phase": "post-build"}],
            "tools": {"components": [{"type": "application", "name": "weighbridge", "version": __version__}]},
            "component": component,
        },
    }
    return json.dumps(bom, indent=1, ensure_ascii=False) + "\n"


def _file(path: str, sha256: str, size_bytes: int) -> dict[str, Any]:
    return {
        "type": "file",
        "bom-ref": f"file:{path}",
        "name": path,
        "hashes": [{"alg": "SHA-256", "content": sha256}],
        "properties": _properties({"weighbridge:size-bytes": size_bytes}),
    }


def _card_links(files: Sequence[tuple[str, str, int]], page: str, revision: str) -> list[dict[str, str]]:
    """The model card, when there is one."""
    if any(path == "README.md" for path, _, _ in files):
        return [{"type": "model-card", "url": f"{page}/blob/{revision}/README.md"}]
    return []


def _model_card(card: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    parameters = _some(
        task=_text(card.get("pipeline_tag")) or _text(facts.get("pipeline_tag")),
        architectureFamily=_text(facts.get("model_type")),
        modelArchitecture=_text(facts.get("architecture")),
        datasets=[{"type": "dataset", "name": name} for name in _texts(card.get("datasets"))],
    )
    return _some(modelParameters=parameters)


def _licences(card: Mapping[str, Any]) -> list[dict[str, Any]]:
    """By SPDX id where there is one; a licence that the card names otherwise, by that name and its link."""
    found = _text(card.get("license"))
    if not found:
        return []
    known = spdx_id(found)
    if known:
        return [{"license": {"id": known}}]
    name = _text(card.get("license_name")) or found
    link = _text(card.get("license_link"))
    return [{"license": {"name": name, **_some(url=link if _is_url(link) else "")}}]


def _pedigree(card: Mapping[str, Any]) -> dict[str, Any]:
    """The models that the card says it was made from."""
    ancestors = [{"type": "machine-learning-model", "name": name} for name in _texts(card.get("base_model"))]
    return _some(ancestors=ancestors)


def _measured(facts: Mapping[str, Any]) -> dict[str, Any]:
    dtypes = facts.get("dtypes")
    return {
        "weighbridge:formats": ", ".join(_texts(facts.get("formats"))),
        "weighbridge:tensors": facts.get("tensors"),
        "weighbridge:parameters": facts.get("parameters"),
        "weighbridge:dtypes": ", ".join(sorted(str(key) for key in cast(dict[Any, Any], dtypes)))
        if isinstance(dtypes, dict)
        else ", ".join(_texts(dtypes)),
        "weighbridge:context-length": facts.get("context_length"),
        "weighbridge:vocabulary": facts.get("vocabulary"),
    }


def _said(card: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "weighbridge:card:library": _text(card.get("library_name")),
        "weighbridge:card:languages": ", ".join(_texts(card.get("language"))),
    }


def _properties(values: Mapping[str, Any]) -> list[dict[str, str]]:
    """Name and value of each that says something: a text, or a number other than 0."""
    return [
        {"name": name, "value": str(value)[:_MAX_WORDS]}
        for name, value in values.items()
        if (isinstance(value, str) and value) or (isinstance(value, int) and (value or name.endswith("size-bytes")))
    ]


def _some(**values: Any) -> dict[str, Any]:
    """Those that are not empty."""
    return {name: value for name, value in values.items() if value}


def _text(value: Any) -> str:
    return value.strip()[:_MAX_WORDS] if isinstance(value, str) else ""


def _texts(value: Any) -> list[str]:
    """One text or several, in their order, each once."""
    found: Iterable[Any] = cast(list[Any], value) if isinstance(value, list | tuple) else [value]
    return list(dict.fromkeys(text for one in found if (text := _text(one))))


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc) and text.isascii() and " " not in text
