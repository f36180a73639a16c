"""Inspection in the sandbox: hostile files, and what the caller learns. Every process here is real."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checkpoint.made import model_file, safetensors
from tests.inspection.made import CLEAN, write
from weighbridge.checkpoint import ModelFile
from weighbridge.errors import InvalidInput, SandboxError
from weighbridge.inspection import Result, run_inspection
from weighbridge.sandbox import Limits, run_job


async def test_a_folder(tmp_path: Path):
    seen: list[int] = []
    inspection = await run_inspection(write(tmp_path, CLEAN), on_progress=seen.append)
    assert (inspection.result, inspection.findings) == (Result.PASSED, ())
    assert seen[-1] == inspection.size_bytes == sum(map(len, CLEAN.values()))
    assert {"audit-hook", "limits"} <= set(inspection.isolation)


async def test_relative_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.md").write_bytes(b"words")
    inspection = await run_inspection([ModelFile(path="a.md", local_path=Path("a.md"), size_bytes=5)])
    assert inspection.result is Result.PASSED


async def test_a_file_that_needs_too_much_memory_blocks(tmp_path: Path):
    """A header of a million entries: JSON of 24 MB, objects of many times that."""
    header = b"{" + b",".join(b'"%d":{"a":[1,2,3]}' % at for at in range(1_000_000)) + b"}"
    file = model_file(tmp_path, "m.safetensors", safetensors(header=header, data=b""))
    inspection = await run_inspection([file], memory_bytes=160 << 20)
    assert inspection.result is Result.FAILED
    assert "MemoryError" in inspection.findings[0].reason


async def test_a_file_that_takes_too_long_is_an_error(tmp_path: Path):
    file = model_file(tmp_path, "m.pkl", b"(0" * 3_000_000)
    with pytest.raises(SandboxError, match="could not finish inspect"):
        await run_inspection([file], timeout_s=0.5)


async def test_weights_of_any_size_need_no_memory(tmp_path: Path):
    """16 GiB of zeros in a sparse file, within 96 MiB of address space."""
    size = 16 << 30
    header = safetensors({"w": {"dtype": "F32", "shape": [size // 4], "data_offsets": [0, size]}}, b"")
    place = tmp_path / "m.safetensors"
    with place.open("wb") as out:
        out.write(header)
        out.truncate(len(header) + size)
    file = ModelFile(path="m.safetensors", local_path=place, size_bytes=len(header) + size)
    inspection = await run_inspection([file], memory_bytes=96 << 20)
    assert (inspection.result, inspection.facts["parameters"]) == (Result.PASSED, size // 4)


async def test_a_path_that_is_no_text(tmp_path: Path):
    odd = ModelFile(path="a", local_path=Path("/tmp/\udcff"), size_bytes=0)
    with pytest.raises(InvalidInput, match="not UTF-8"):
        await run_inspection([odd])


async def test_a_request_that_is_none():
    with pytest.raises(SandboxError, match="could not finish inspect"):
        await run_job("inspect", b'[{"path": 1}]', limits=Limits(), timeout_s=60)
