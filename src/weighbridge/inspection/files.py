"""Inspects one file: what it is, whether its name says so, and what its reader finds."""

from __future__ import annotations

from collections.abc import Callable

from weighbridge.checkpoint.format import Format, expected_formats, sniff
from weighbridge.checkpoint.gguf import read_gguf
from weighbridge.checkpoint.image import read_image
from weighbridge.checkpoint.jsonfile import clip, read_json
from weighbridge.checkpoint.pickle_stream import PickleReport, read_pickle
from weighbridge.checkpoint.region import Malformed, ModelFile, Region, open_region
from weighbridge.checkpoint.safetensors import read_safetensors
from weighbridge.checkpoint.sentencepiece import read_sentencepiece
from weighbridge.checkpoint.torch_zip import read_torch_zip
from weighbridge.inspection.documents import keep_document
from weighbridge.inspection.survey import Survey
from weighbridge.inspection.templates import MAX_TEMPLATE_BYTES, check_template

_TORCH_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # torch/serialization.py, MAGIC_NUMBER as a pickle
_EMPTY_IS_FINE = {Format.TEXT, Format.CODE}


def inspect_file(file: ModelFile, survey: Survey) -> None:
    """Adds what is found in the file. Never raises for what the file holds."""
    if not is_safe_path(file.path):
        survey.find("unsafe-path", file.path, f"the path is {clip(file.path)}")
    try:
        with open_region(file) as region:
            kind = sniff(region, file.path)
            survey.formats.add(kind.value)
            _check_name(kind, file.path, survey)
            _READERS[kind](region, file.path, survey)
    except Malformed as error:
        survey.find_malformed("unreadable-file", file.path, error)
    except (MemoryError, RecursionError) as error:
        survey.find("unreadable-file", file.path, f"takes more than a reader may use ({type(error).__name__})")


def is_safe_path(path: str) -> bool:
    """Whether a path stays inside its folder on every system."""
    parts = path.split("/")
    return not (
        "\\" in path or ":" in path or path.startswith("~") or any(part in ("", ".", "..") for part in parts)
    ) and (path.isprintable())


def _check_name(kind: Format, path: str, survey: Survey) -> None:
    expected = expected_formats(path)
    if not expected or kind in expected or (kind is Format.EMPTY and expected & _EMPTY_IS_FINE):
        return
    if kind in (Format.UNKNOWN, Format.UNREAD, Format.ARCHIVE, Format.EXECUTABLE):
        return  # a finding of its own, which says more
    if kind is Format.CODE and Format.TEXT in expected:
        return  # a text that begins with #!
    promised = " or ".join(sorted(expected))
    survey.find("name-mismatch", path, f"the name promises {promised}, the content is {kind.value}", at_byte=0)


def _read_safetensors(region: Region, path: str, survey: Survey) -> None:
    try:
        content = read_safetensors(region)
    except Malformed as error:
        survey.find_malformed("safetensors-structure", path, error)
        return
    survey.count_weights(Format.SAFETENSORS, ((tensor.dtype, tensor.elements) for tensor in content.tensors))
    survey.tensor_names[path] = frozenset(tensor.name for tensor in content.tensors)


def _read_gguf(region: Region, path: str, survey: Survey) -> None:
    try:
        content = read_gguf(region)
    except Malformed as error:
        survey.find_malformed("gguf-structure", path, error)
        return
    survey.count_weights(Format.GGUF, ((tensor.dtype, tensor.elements) for tensor in content.tensors))
    architecture = content.metadata.get("general.architecture")
    if isinstance(architecture, str):
        survey.about.setdefault("model_type", architecture[:100])
    tokenizer = content.metadata.get("tokenizer.ggml.model")
    if isinstance(tokenizer, str):
        survey.about.setdefault("tokenizer", tokenizer[:100])
    for key, value in content.metadata.items():
        if key.startswith("tokenizer.chat_template") and isinstance(value, str):
            check_template(value, path, survey)


def _read_torch(region: Region, path: str, survey: Survey) -> None:
    try:
        content = read_torch_zip(region)
    except Malformed as error:
        survey.find_malformed("torch-structure", path, error)
        return
    if _report_pickle(content.pickle, path, survey):
        survey.count_weights(Format.TORCH, content.elements.items())
        survey.tensors[Format.TORCH] += content.tensors - len(content.elements)


def _read_pickle(region: Region, path: str, survey: Survey) -> None:
    report = read_pickle(region)
    if report.malformed is None and report.end != region.size_bytes:
        reason = f"{region.size_bytes - report.end} bytes after the pickle's end"
        if region.head(len(_TORCH_MAGIC)) == _TORCH_MAGIC:
            reason = "saved by torch before 1.6, or in that format, which is not read"
        survey.find("pickle-structure", path, reason, at_byte=report.end)
    for storage in report.storages[:1]:
        survey.find("pickle-code", path, "names a torch storage outside of it", at_byte=storage.at_byte)
    _report_pickle(report, path, survey)


def _report_pickle(report: PickleReport, path: str, survey: Survey) -> bool:
    """Adds what the walk found; whether it was only the warning that it is a pickle."""
    for refusal in report.refused:
        survey.find("pickle-code", path, refusal.reason, at_byte=refusal.at_byte)
    if report.malformed is not None:
        survey.find_malformed("pickle-structure", path, report.malformed)
    if report.refused or report.malformed is not None:
        return False
    named = ", ".join(clip(name) for name in report.globals[:20]) or "nothing"
    survey.find("pickle", path, f"protocol {report.protocol}; it names only what weights need: {named}")
    return True


def _read_json(region: Region, path: str, survey: Survey) -> None:
    try:
        survey.documents[path] = keep_document(read_json(region))
    except Malformed as error:
        survey.find_malformed("json-structure", path, error)


def _read_text(region: Region, path: str, survey: Survey) -> None:
    if path.endswith(".jinja"):
        if region.size_bytes > MAX_TEMPLATE_BYTES:
            survey.find("unreadable-file", path, f"a chat template of {region.size_bytes} bytes")
            return
        check_template(region.read(0, region.size_bytes).decode("utf-8"), path, survey)


def _read_sentencepiece(region: Region, path: str, survey: Survey) -> None:
    try:
        survey.about.setdefault("vocabulary", read_sentencepiece(region))
        survey.about.setdefault("tokenizer", "SentencePiece")
    except Malformed as error:
        survey.find_malformed("sentencepiece-structure", path, error)


def _read_image(region: Region, path: str, survey: Survey) -> None:
    try:
        read_image(region)
    except Malformed as error:
        survey.find_malformed("image-structure", path, error)


def _read_nothing(region: Region, path: str, survey: Survey) -> None:
    """An empty file: nothing to find."""


def _found(rule_id: str, reason: str) -> Callable[[Region, str, Survey], None]:
    def read(region: Region, path: str, survey: Survey) -> None:
        survey.find(rule_id, path, f"{reason}; it begins with {region.head(8).hex(' ')}", at_byte=0)

    return read


_READERS: dict[Format, Callable[[Region, str, Survey], None]] = {
    Format.EMPTY: _read_nothing,
    Format.SAFETENSORS: _read_safetensors,
    Format.GGUF: _read_gguf,
    Format.TORCH: _read_torch,
    Format.PICKLE: _read_pickle,
    Format.JSON: _read_json,
    Format.TEXT: _read_text,
    Format.CODE: lambda region, path, survey: survey.find("code-file", path, f"{region.size_bytes} bytes of code"),
    Format.IMAGE: _read_image,
    Format.SENTENCEPIECE: _read_sentencepiece,
    Format.ARCHIVE: _found("archive", "an archive's members are not inspected"),
    Format.EXECUTABLE: _found("executable", "machine code"),
    Format.UNREAD: _found("unread-format", "no reader for this kind of file yet"),
    Format.UNKNOWN: _found("unknown-format", "no kind of file that is known"),
}
