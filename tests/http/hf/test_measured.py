from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.types import ASGIApp

from tests.http.asgi import call
from tests.http.seed import Seed, model_files
from weighbridge.evidence.envelope import sign_statement
from weighbridge.evidence.predicates import inspection
from weighbridge.evidence.statement import Subject
from weighbridge.http.hf.measured import inspection_facts, safetensors_json

FACTS = {"formats": ["safetensors"], "dtypes": {"BF16": 100, "F32": 28}, "architecture": "TinyLM", "model_type": "tiny"}


def attestations(facts: dict[str, object]) -> bytes:
    statement = inspection(
        Subject(repo="alice/tiny", digest="a" * 64),
        result="PASSED",
        rules_sha256="b" * 64,
        passed=[],
        warned=[],
        failed=[],
        findings=[],
        files=1,
        size_bytes=1,
        facts=facts,
    )
    return sign_statement(statement, ec.generate_private_key(ec.SECP256R1())).text.encode() + b"\n"


@pytest.mark.parametrize(("weights", "shown"), [("public", True), ("gated", True), ("internal", False)])
async def test_a_released_model_tells_what_the_hub_measured_to_who_sees_its_sizes(
    app: ASGIApp, seed: Seed, weights: str, shown: bool
) -> None:
    repo = await seed.repo("alice/tiny", by="alice")
    candidate = await seed.commit(repo, model_files(), by="alice")
    proof = {".release/attestations.jsonl": attestations(FACTS)}
    await seed.release(repo, candidate, by="alice", weights=weights, inference="public", proof=proof)
    info = (await call(app, "GET", "/api/models/alice/tiny")).json
    assert info.get("safetensors") == ({"parameters": {"BF16": 100, "F32": 28}, "total": 128} if shown else None)
    assert info.get("config") == ({"architectures": ["TinyLM"], "model_type": "tiny"} if shown else None)


async def test_what_was_not_measured_is_not_told(app: ASGIApp, seed: Seed) -> None:
    repo = await seed.repo("alice/tiny", by="alice")
    candidate = await seed.commit(repo, model_files(), by="alice")
    await seed.release(repo, candidate, by="alice", proof={".release/attestations.jsonl": b"{}\nnonsense\n\xff\n"})
    info = (await call(app, "GET", "/api/models/alice/tiny")).json
    assert not {"safetensors", "config"} & set(info)
    mine = (await call(app, "GET", "/api/models/alice/tiny", token=seed.tokens["alice"])).json
    assert not {"safetensors", "config"} & set(mine)


def test_weights_in_another_format_are_no_safetensors() -> None:
    facts = inspection_facts(b"junk\n" + attestations({"formats": ["gguf"], "dtypes": {"Q8_0": 5}}))
    assert facts["formats"] == ["gguf"]
    assert safetensors_json(facts) is None
