"""The strict validator of cyclonedx-python-lib is the oracle."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from weighbridge.documents.bom import build_bom
from weighbridge.documents.card import card_facts
from weighbridge.documents.licences import KNOWN_SPDX, spdx_id

DIGEST = "ab" * 32
FACTS = {
    "formats": ["safetensors", "json"], "tensors": 272, "parameters": 134515008, "dtypes": {"BF16": 134515008},
    "architecture": "LlamaForCausalLM", "model_type": "llama", "pipeline_tag": "text-generation",
    "context_length": 8192, "vocabulary": 49152, "chat_template": True, "remote_code": False,
}  # fmt: skip
CARD = card_facts(
    "---\nlicense: apache-2.0\npipeline_tag: text-generation\nlanguage: [en, no]\nbase_model: acme/base\n"
    "datasets: [acme/words, acme/more]\nlibrary_name: transformers\n---\n"
)


def _files(count: int) -> list[tuple[str, str, int]]:
    names = ["README.md", "sub/ü.json", *(f"model-{number:05}.safetensors" for number in range(count))]
    return [(name, hashlib.sha256(name.encode()).hexdigest(), len(name)) for name in names]


def _bom(*, files: int = 3, card: dict[str, Any] = CARD, facts: dict[str, Any] = FACTS, **change: Any) -> str:
    values: dict[str, Any] = {
        "repo": "acme/tiny", "revision": "c0ffee" + "0" * 34, "digest": DIGEST, "made_at": "2025-11-24T16:00:00Z",
        "hub": "https://hub.test:8443",
    }  # fmt: skip
    return build_bom(**(values | change), files=_files(files), card=card, facts=facts)


def _problems(text: str) -> str:
    return str(JsonStrictValidator(SchemaVersion.V1_7).validate_str(text) or "")


@pytest.mark.parametrize("files", [0, 3, 2000])
def test_it_is_cyclonedx_1_7_by_the_strict_validator(files: int) -> None:
    assert _problems(_bom(files=files)) == ""


def test_the_validator_would_see_a_mistake() -> None:
    assert "licenses" in _problems(_bom().replace('"Apache-2.0"', '"apache-2"')) or _problems(
        _bom().replace('"Apache-2.0"', '"apache-2"')
    )


def test_it_says_what_is_inside() -> None:
    component = json.loads(_bom())["metadata"]["component"]
    assert component["type"] == "machine-learning-model"
    assert component["purl"] == (
        f"pkg:huggingface/acme/tiny@c0ffee{'0' * 34}?repository_url=https%3A%2F%2Fhub.test%3A8443"
    )
    assert component["licenses"] == [{"license": {"id": "Apache-2.0"}}]
    assert component["pedigree"]["ancestors"] == [{"type": "machine-learning-model", "name": "acme/base"}]
    parameters = component["modelCard"]["modelParameters"]
    assert parameters["task"] == "text-generation" and parameters["architectureFamily"] == "llama"
    assert [one["name"] for one in parameters["datasets"]] == ["acme/words", "acme/more"]
    said = {one["name"]: one["value"] for one in component["properties"]}
    assert said["weighbridge:release-digest"] == DIGEST and said["weighbridge:parameters"] == "134515008"
    files = {one["name"]: one["hashes"] for one in component["components"]}
    assert files["sub/ü.json"] == [{"alg": "SHA-256", "content": hashlib.sha256("sub/ü.json".encode()).hexdigest()}]


def test_the_same_release_has_the_same_bom_and_another_one_another_serial_number() -> None:
    assert _bom() == _bom()
    assert json.loads(_bom())["serialNumber"] != json.loads(_bom(digest="cd" * 32))["serialNumber"]


def test_the_order_of_the_files_does_not_matter() -> None:
    values: dict[str, Any] = {
        "repo": "a/b", "revision": "c", "digest": DIGEST, "made_at": "2025-11-24T16:00:00Z", "hub": "http://h",
        "card": CARD, "facts": FACTS,
    }  # fmt: skip
    assert build_bom(files=_files(3), **values) == build_bom(files=_files(3)[::-1], **values)


@pytest.mark.parametrize(
    ("card", "licences"),
    [
        (
            {"license": "llama3.1", "license_link": "https://x.test/a"},
            [{"name": "llama3.1", "url": "https://x.test/a"}],
        ),
        ({"license": "other", "license_name": "acme-1", "license_link": "LICENSE"}, [{"name": "acme-1"}]),
        ({"license": "other", "license_link": "https://x.test/a b"}, [{"name": "other"}]),
        ({"license": "MIT"}, [{"id": "MIT"}]),
        ({"license": ""}, None),
        ({"license": 7}, None),
        ({}, None),
    ],
)
def test_a_licence_is_named_by_its_spdx_id_or_as_the_card_names_it(card: dict[str, Any], licences: Any) -> None:
    text = _bom(card=card)
    assert _problems(text) == ""
    found = json.loads(text)["metadata"]["component"].get("licenses")
    assert found == (licences and [{"license": one} for one in licences])


@pytest.mark.parametrize("identifier", sorted(KNOWN_SPDX))
def test_every_licence_of_the_table_is_on_the_spdx_list(identifier: str) -> None:
    assert _problems(_bom(files=0, card={"license": identifier})) == ""


def test_card_names_lead_to_spdx_ids() -> None:
    assert [spdx_id(name) for name in ("apache-2.0", "gpl-3.0", "cc-by-sa-4.0", "openrail", "")] == [
        "Apache-2.0", "GPL-3.0-only", "CC-BY-SA-4.0", None, None,
    ]  # fmt: skip


def test_facts_of_any_shape_still_make_a_valid_document() -> None:
    odd: dict[str, Any] = {
        "formats": "x", "tensors": "many", "parameters": None, "dtypes": ["F32"], "architecture": 3, "model_type": {},
        "pipeline_tag": [], "context_length": True,
    }  # fmt: skip
    card: dict[str, Any] = {"datasets": {"a": 1}, "base_model": [1, "acme/b"], "language": 3, "pipeline_tag": None}
    assert _problems(_bom(facts=odd, card=card)) == ""
    assert _problems(_bom(facts={}, card={})) == ""


def test_a_dataset_is_data_and_has_no_model_card() -> None:
    text = _bom(repo_type="dataset")
    assert _problems(text) == ""
    component = json.loads(text)["metadata"]["component"]
    assert component["type"] == "data" and not {"modelCard", "purl"} & set(component)
    assert component["externalReferences"][0]["url"] == "https://hub.test:8443/datasets/acme/tiny"
