"""Inspects a folder's files: each by itself, then all together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from weighbridge.checkpoint.region import ModelFile
from weighbridge.inspection.files import inspect_file
from weighbridge.inspection.finding import Inspection
from weighbridge.inspection.folder import inspect_folder
from weighbridge.inspection.survey import Survey


def inspect(files: Sequence[ModelFile], *, progress: Callable[[int], None]) -> Inspection:
    """Everything found. ``progress`` gets the bytes done so far, after each file.

    Reads hostile bytes: call ``run_inspection`` instead wherever more than this process's own life depends on it.
    """
    survey = Survey()
    survey.paths = frozenset(file.path for file in files)
    done = 0
    for file in sorted(files, key=lambda file: file.path):
        inspect_file(file, survey)
        done += file.size_bytes
        progress(done)
    inspect_folder(survey)
    return survey.conclude(files=len(files), size_bytes=done)
