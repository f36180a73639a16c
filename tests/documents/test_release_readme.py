"""The commands that the release's own README gives are run as they stand there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.evidence.made import Made
from weighbridge.documents.release_readme import release_readme


def test_its_commands_work_on_a_release(tmp_path: Path) -> None:
    made = Made(tmp_path / "tiny").write()
    text = release_readme(repo="acme/tiny", hub="https://hub.test", digest=made.subject.digest, number=3)
    assert "release 3 of `acme/tiny`" in text and made.subject.digest in text
    shutil.copyfile(made.folder / ".release/release.pub", tmp_path / "release.pub")
    commands = [line for block in re.findall(r"```\n(.*?)```", text, re.S) for line in block.splitlines()]
    assert "weighbridge verify ." in commands and "weighbridge verify --hub https://hub.test acme/tiny" in commands
    sums = next(line for line in commands if line.startswith("sha256sum --quiet"))
    assert subprocess.run(sums, shell=True, cwd=made.folder, capture_output=True).returncode == 0
    digest = next(line for line in commands if line.startswith("sha256sum .release"))
    said = subprocess.run(digest, shell=True, cwd=made.folder, capture_output=True, text=True).stdout
    assert said.split()[0] == made.subject.digest == digest.split("# ")[1]
    signature = next(line for line in commands if line.startswith("model_signing"))
    client = str(Path(sys.executable).with_name("model_signing"))
    signature = signature.replace("model_signing", client).replace("release.pub", "../release.pub")
    result = subprocess.run(signature, shell=True, cwd=made.folder, capture_output=True, text=True)
    assert result.stdout == "Verification succeeded\n", result.stderr
