"""Every rule fires where it must, and keeps quiet beside it."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.checkpoint.made import (
    PNG,
    archive,
    gguf,
    gguf_text,
    model_file,
    safetensors,
    sentencepiece,
    state_dict,
    tensor,
    text,
    torch_zip,
)
from tests.inspection.made import CLEAN, as_json, inspect_all, write
from weighbridge.checkpoint import ModelFile
from weighbridge.inspection import RULES, Result, Severity, inspect, rules_sha256

SHARD = safetensors({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, bytes(8))
INDEX = "model.safetensors.index.json"
CODE = b"cos\nsystem\n(" + text("true") + b"tR."
ESCAPE = "{{ ''.__class__.__mro__ }}"


def index(**weight_map: object) -> bytes:
    return as_json({"metadata": {}, "weight_map": weight_map})


# rule, files that fire it, files beside it that do not
CASES: list[tuple[str, dict[str, bytes], dict[str, bytes]]] = [
    ("unsafe-path", {"a/..b/../c.txt": b"x"}, {"a/..b/c.txt": b"x"}),
    ("unknown-format", {"weights.dat": b"\0\1\2"}, {"weights.dat": b"words"}),
    ("unread-format", {"w.npy": b"\x93NUMPY\1\0"}, {"w.txt": b"numpy"}),
    ("archive", {"a.zip": archive({"a": b"b"})}, {"a.txt": b"zip"}),
    ("executable", {"tool": b"\x7fELF" + bytes(60)}, {"tool": b"ELF"}),
    ("name-mismatch", {"m.safetensors": gguf()}, {"m.gguf": gguf()}),
    ("name-mismatch", {"m.safetensors": b""}, {"m.txt": b""}),
    ("name-mismatch", {"m.json": PNG}, {"m.png": PNG}),
    ("safetensors-structure", {"m.safetensors": safetensors()[:-1]}, {"m.safetensors": safetensors()}),
    ("weights-index", {INDEX: index(a="../m.safetensors")}, {INDEX: index(a="m.safetensors"), "m.safetensors": SHARD}),
    ("weights-index", {INDEX: index(a="/etc/passwd")}, {INDEX: index(a="m.safetensors"), "m.safetensors": SHARD}),
    ("weights-index", {INDEX: index(a="gone.safetensors")}, {INDEX: index(a="m.bin"), "m.bin": torch_zip()}),
    ("weights-index", {INDEX: index(a=["m.safetensors"])}, {f"x/{INDEX}": index(a="m.bin"), "x/m.bin": torch_zip()}),
    ("weights-index", {INDEX: index(b="m.safetensors"), "m.safetensors": SHARD}, {INDEX: index()}),
    ("weights-index", {INDEX: as_json({"weight_map": []})}, {"index.json": as_json({"weight_map": []})}),
    ("weights-index-gap", {INDEX: index(b="m.safetensors"), "m.safetensors": SHARD}, {"m.safetensors": SHARD}),
    ("gguf-structure", {"m.gguf": gguf()[:-1]}, {"m.gguf": gguf()}),
    ("torch-structure", {"m.bin": torch_zip(_0=bytes(4))}, {"m.bin": torch_zip()}),
    ("pickle-structure", {"m.pkl": b"\x80\x02N"}, {"m.pkl": b"\x80\x02N."}),
    ("pickle-structure", {"m.pkl": b"\x80\x02N." + CODE}, {"m.pkl": b"\x80\x02N."}),
    ("pickle-structure", {"m.bin": torch_zip(state_dict(tensor(offset=99)))}, {"m.bin": torch_zip()}),
    ("pickle-code", {"m.pkl": CODE}, {"m.pkl": b"\x80\x02}."}),
    ("pickle-code", {"m.bin": torch_zip(CODE)}, {"m.bin": torch_zip()}),
    ("pickle-code", {"m.pkl": state_dict()}, {"m.bin": torch_zip()}),
    ("pickle-code", {"notes.txt": b"cos\nsystem\n(S'true'\ntR."}, {"notes.txt": b"cos\nsystem\n"}),
    ("json-structure", {"a.json": b'{"a": 1, "a": 2}'}, {"a.json": b'{"a": 1, "b": 2}'}),
    ("sentencepiece-structure", {"t.model": sentencepiece()[:-1]}, {"t.model": sentencepiece()}),
    ("image-structure", {"a.png": PNG + b"more"}, {"a.png": PNG}),
    (
        "remote-code-elsewhere",
        {"config.json": as_json({"auto_map": {"AutoModel": "other/repo--model.Class"}})},
        {"config.json": as_json({"auto_map": {"AutoModel": "model.Class"}})},
    ),
    (
        "remote-code",
        {"tokenizer_config.json": as_json({"auto_map": {"AutoTokenizer": ["tokenizer.Slow", None]}})},
        {"tokenizer_config.json": as_json({"tokenizer_class": "LlamaTokenizer"})},
    ),
    (
        "remote-code",
        {"config.json": as_json({"custom_pipelines": {"task": {"impl": "pipe.Pipe", "pt": ["AutoModel"]}}})},
        {"config.json": as_json({"custom_pipelines": {}})},
    ),
    (
        "chat-template-escape",
        {"tokenizer_config.json": as_json({"chat_template": ESCAPE})},
        {"tokenizer_config.json": as_json({"chat_template": "{{ messages[0]['class'] }}"})},
    ),
    (
        "chat-template-escape",
        {"tokenizer_config.json": as_json({"chat_template": [{"name": "default", "template": ESCAPE}]})},
        {"config.json": as_json({"note": ESCAPE})},
    ),
    ("chat-template-escape", {"chat_template.jinja": ESCAPE.encode()}, {"chat_template.jinja": b"{{ x }}"}),
    (
        "chat-template-escape",
        {"m.gguf": gguf([("tokenizer.chat_template", 8, gguf_text(ESCAPE))])},
        {"m.gguf": gguf([("tokenizer.chat_template", 8, gguf_text("{{ x | trim }}"))])},
    ),
    ("pickle", {"m.bin": torch_zip()}, {"m.safetensors": safetensors()}),
    ("pickle", {"m.pkl": b"\x80\x02}."}, {"m.pkl": CODE}),
    ("code-file", {"modeling.py": b"import torch\n"}, {"modeling.md": b"import torch\n"}),
    ("code-file", {"start": b"#!/bin/sh\n"}, {"start": b"# begin\n"}),
    ("no-weights", {"README.md": b"# Nothing\n"}, {"m.gguf": gguf()}),
]


@pytest.mark.parametrize(
    ("rule_id", "firing", "quiet"), CASES, ids=[f"{case[0]}-{at}" for at, case in enumerate(CASES)]
)
def test_rule(rule_id: str, firing: dict[str, bytes], quiet: dict[str, bytes], tmp_path: Path):
    rule = next(rule for rule in RULES if rule.id == rule_id)
    fired = inspect_all(tmp_path / "firing", firing)
    found = [finding for finding in fired.findings if finding.rule == rule_id]
    assert found
    assert all(finding.severity is rule.severity and finding.reason and finding.remedy for finding in found)
    listed = {Severity.BLOCK: fired.failed, Severity.WARN: fired.warned, Severity.NOTE: fired.passed}[rule.severity]
    assert rule_id in listed
    kept_quiet = inspect_all(tmp_path / "quiet", quiet)
    assert rule_id not in [finding.rule for finding in kept_quiet.findings]
    assert rule_id in kept_quiet.passed


def test_every_rule_has_a_case():
    assert {case[0] for case in CASES} | {"unreadable-file"} == {rule.id for rule in RULES}


def test_unreadable_files(tmp_path: Path):
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    files = [
        ModelFile(path="link", local_path=tmp_path / "link", size_bytes=6),
        ModelFile(path="gone", local_path=tmp_path / "gone", size_bytes=1),
        ModelFile(path="folder", local_path=tmp_path, size_bytes=0),
        ModelFile(path="grown", local_path=tmp_path / "secret", size_bytes=5),
        ModelFile(path="whole", local_path=tmp_path / "secret", size_bytes=6),
    ]
    inspection = inspect(files, progress=lambda done: None)
    unreadable = [finding.file for finding in inspection.findings if finding.rule == "unreadable-file"]
    assert unreadable == ["folder", "gone", "grown", "link"]
    assert inspection.result is Result.FAILED


def test_a_clean_folder_passes(tmp_path: Path):
    inspection = inspect_all(tmp_path, CLEAN)
    assert (inspection.findings, inspection.result) == ((), Result.PASSED)
    assert (inspection.files, inspection.size_bytes) == (5, sum(map(len, CLEAN.values())))
    assert inspection.facts == {
        "formats": ["json", "safetensors", "text"],
        "tensors": 2,
        "parameters": 12,
        "dtypes": {"BF16": 4, "F32": 8},
        "architecture": "LlamaForCausalLM",
        "model_type": "llama",
        "pipeline_tag": "text-generation",
        "tokenizer": "BPE",
        "chat_template": True,
        "remote_code": False,
        "context_length": 64,
        "vocabulary": 9,
    }
    assert set(inspection.passed) == {rule.id for rule in RULES}


def test_a_warning_is_not_a_failure(tmp_path: Path):
    assert inspect_all(tmp_path, {**CLEAN, "a.py": b"pass\n"}).result is Result.WARNED


def test_the_same_weights_twice_are_counted_once(tmp_path: Path):
    inspection = inspect_all(tmp_path, {**CLEAN, "pytorch_model.bin": torch_zip(), "m.gguf": gguf()})
    assert (inspection.facts["tensors"], inspection.facts["parameters"]) == (2, 12)
    assert inspection.facts["formats"] == ["gguf", "json", "safetensors", "text", "torch"]


def test_torch_and_gguf_are_counted_when_alone(tmp_path: Path):
    assert inspect_all(tmp_path / "t", {"m.bin": torch_zip()}).facts["dtypes"] == {"Float": 8}
    two = state_dict(tensor(), tensor(size=(2,), stride=(1,)))
    assert inspect_all(tmp_path / "u", {"m.bin": torch_zip(two)}).facts["tensors"] == 2
    assert inspect_all(tmp_path / "g", {"m.gguf": gguf()}).facts["dtypes"] == {"F32": 8, "Q4_0": 32}


def test_shards_are_counted_together(tmp_path: Path):
    inspection = inspect_all(tmp_path, {"a.safetensors": safetensors(), "b.safetensors": SHARD})
    assert (inspection.facts["tensors"], inspection.facts["parameters"]) == (3, 14)


def test_a_finding_says_where(tmp_path: Path):
    data = b"\x80\x02}" + text("w") + b"cos\nsystem\n(" + text("true") + b"tRs."
    inspection = inspect_all(tmp_path, {"m.pkl": data})
    finding = next(finding for finding in inspection.findings if finding.rule == "pickle-code")
    assert finding.at_byte == data.index(b"cos\n")
    assert finding.reason == "names 'os.system'"
    assert finding.reference.startswith("https://")


def test_equal_files_give_equal_inspections(tmp_path: Path):
    files = write(tmp_path, {**CLEAN, "a.py": b"pass\n", "m.pkl": CODE, "b.dat": b"\0"})
    seen = [inspect(order, progress=lambda done: None) for order in (files, files[::-1])]
    assert seen[0] == seen[1]
    assert [finding.severity for finding in seen[0].findings][:2] == [Severity.BLOCK, Severity.BLOCK]


def test_findings_are_bounded(tmp_path: Path):
    many = b"".join(b"cos\nsystem%d\n0" % at for at in range(500)) + b"N."
    inspection = inspect_all(tmp_path, {f"{at}.pkl": many for at in range(60)})
    assert len(inspection.findings) <= 4_000
    assert inspection.result is Result.FAILED


def test_a_block_past_the_bound_still_fails(tmp_path: Path):
    contents = {f"{at:04}.py": b"pass" for at in range(2_100)} | {"z.dat": b"\0"}
    inspection = inspect_all(tmp_path, contents)
    assert inspection.result is Result.FAILED
    assert "unknown-format" in inspection.failed
    assert any(finding.rule == "unknown-format" for finding in inspection.findings)


def test_names_from_files_are_printable(tmp_path: Path):
    data = safetensors({"\x1b[2J": {"dtype": "F32"}}, b"")
    inspection = inspect_all(tmp_path, {"m.safetensors": data, "a.json": as_json({"auto_map": {"a": "\x1b[2J.b"}})})
    assert all(finding.reason.isprintable() for finding in inspection.findings)


def test_hostile_configurations_are_no_crash(tmp_path: Path):
    values = [None, 3, "x", [], {}, [[]], {"a": {}}, True, 1.5, "x" * 5_000, -1, 2**60]
    for at, value in enumerate(values):
        keys = ("architectures", "model_type", "auto_map", "chat_template", "vocab_size", "weight_map", "model", "type")
        contents = {
            "config.json": as_json(dict.fromkeys(keys, value)),
            "tokenizer.json": as_json({"model": value}),
            "tokenizer_config.json": as_json({"tokenizer_class": value, "chat_template": [value]}),
            INDEX: as_json({"weight_map": value}),
            "processor_config.json": as_json(value),
        }
        facts = inspect_all(tmp_path / str(at), contents).facts
        assert all(len(facts[name]) <= 100 for name in ("architecture", "model_type", "tokenizer"))


def test_progress_reaches_the_whole(tmp_path: Path):
    seen: list[int] = []
    inspection = inspect(write(tmp_path, CLEAN), progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == inspection.size_bytes


def test_an_empty_list_of_files(tmp_path: Path):
    inspection = inspect([], progress=lambda done: None)
    assert (inspection.files, inspection.result) == (0, Result.PASSED)


def test_the_rule_set_has_a_name():
    assert len(rules_sha256()) == 64
    assert len({rule.id for rule in RULES}) == len(RULES)


def test_model_file_is_read_by_its_name_in_the_repo(tmp_path: Path):
    blob = model_file(tmp_path, "blobs/ab/abcdef", b"{}")
    named = ModelFile(path="model.safetensors", local_path=blob.local_path, size_bytes=2)
    inspection = inspect([named], progress=lambda done: None)
    assert [finding.rule for finding in inspection.findings][:1] == ["name-mismatch"]


NAMES = [
    "a",
    "a.bin",
    "a.json",
    "config.json",
    INDEX,
    "a.model",
    "m.safetensors",
    "m.gguf",
    "a.png",
    "t.jinja",
    "p.pkl",
]
SEEDS = [b"", SHARD, gguf(), torch_zip(), state_dict(), sentencepiece(), PNG, CODE, index(a="a"), b'{"auto_map": {}}']


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(NAMES), st.sampled_from(SEEDS), st.integers(0, 500), st.binary(max_size=6))
def test_any_file_is_inspected(name: str, seed: bytes, position: int, patch: bytes):
    data = bytearray(seed)
    position %= len(data) + 1
    data[position : position + len(patch)] = patch
    with TemporaryDirectory() as folder:
        inspection = inspect_all(Path(folder), {name: bytes(data)})
    assert set(inspection.passed) | set(inspection.warned) | set(inspection.failed) == {rule.id for rule in RULES}


def test_the_old_format_of_torch_is_named(tmp_path: Path):
    old = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19." + b"\x80\x02M\xe9\x03."
    inspection = inspect_all(tmp_path, {"pytorch_model.bin": old})
    assert any("torch before 1.6" in finding.reason for finding in inspection.findings)


def test_a_safetensors_header_of_4_gb_is_named_for_what_it_is(tmp_path: Path):
    contents = {"model.safetensors": (1 << 32).to_bytes(8, "little") + b"\0" * 64}
    [finding] = [one for one in inspect_all(tmp_path, contents).findings if one.severity is Severity.BLOCK]
    assert (finding.rule, finding.file) == ("safetensors-structure", "model.safetensors")
    assert "4294967296" in finding.reason.replace(",", "")
