"""Completes a model card on the author's side, before anything is hashed.

    change = complete_card(Path("SmolLM"))
    change.added, change.missing, change.wrote

Adds what the folder's own files say and the card does not. What the author wrote stays, letter for letter; only the
block between our two marks is ours, and is written anew each time. What nobody said is listed as missing, not guessed.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from pathlib import Path
from typing import Any

import msgspec
import yaml

from weighbridge.documents.folder_facts import FolderFacts, read_folder
from weighbridge.documents.front_matter import find_front_matter
from weighbridge.errors import InvalidInput, UnprocessableFile, UnreadableFile

CARD_NAME = "README.md"
MAX_CARD_BYTES = 1 << 20
BEGIN = (
    "<!-- weighbridge document: begin. Taken from this folder's files; run it again to renew, write outside of it. -->"
)
END = "<!-- weighbridge document: end -->"
MAX_LISTED_FILES = 50
# Key of the front matter, and what to say when neither the card nor a file names it.
_WANTED = {
    "license": "no licence is named (`license:`)",
    "pipeline_tag": "the task is not named (`pipeline_tag:`)",
    "library_name": "the library that loads it is not named (`library_name:`)",
    "language": "the languages are not named (`language:`)",
    "datasets": "the training data is not named (`datasets:`)",
}
_SECTIONS = {
    "intended use": ("intended use", "uses", "use"),
    "limitations": ("limitation", "limitations", "bias", "risk"),
    "evaluation": ("evaluation", "results", "benchmark"),
}


class CardChange(msgspec.Struct, frozen=True, kw_only=True):
    """What completing a card did.

    ``added``: front matter keys and their values; ``sources``: the file that says each; ``missing``: in words, what
    nobody said; ``changed``: whether ``text``, the whole card, is another one than before; ``wrote``: whether it is in
    the folder now.
    """

    added: dict[str, Any]
    sources: dict[str, str]
    missing: tuple[str, ...]
    changed: bool
    wrote: bool
    text: str


def complete_card(folder: Path, *, write: bool = True) -> CardChange:
    """Completes ``README.md`` of a folder; ``write=False`` only says what it would do. Run again, it changes nothing.

    Raises:
        UnreadableFile: the folder or the card cannot be read as text.
        UnprocessableFile: the card's front matter cannot be added to by a program.
    """
    path = folder / CARD_NAME
    before = _read(path)
    facts = read_folder(folder)
    text, added = _with_metadata(before or f"# {folder.resolve().name}\n", facts)
    text, missing = _with_block(text, facts)
    changed = text != before
    if changed and write:
        _replace(path, text)
    sources = {key: facts.sources[key] for key in added}
    return CardChange(
        added=added, sources=sources, missing=missing, changed=changed, wrote=changed and write, text=text
    )


def _read(path: Path) -> str:
    """The card's text, "" when there is none."""
    try:
        if path.is_symlink():
            raise UnreadableFile(f"could not complete {path}: it is a link")
        if path.stat().st_size > MAX_CARD_BYTES:
            raise UnreadableFile(f"could not complete {path}: it has over {MAX_CARD_BYTES} bytes")
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        raise UnreadableFile(f"could not complete {path}: it is not UTF-8 text (byte {error.start})") from error
    except OSError as error:
        raise UnreadableFile(f"could not complete {path}: {error.strerror}") from error


def _with_metadata(text: str, facts: FolderFacts) -> tuple[str, dict[str, Any]]:
    """The text with the keys that it lacks, and these. A key that is there and empty is the author's: it stays so."""
    try:
        block = find_front_matter(text)
    except InvalidInput as error:
        hint = "Repair the lines between the two `---` at the head of README.md, then run it again."
        raise UnprocessableFile(error.message, hint=hint) from error
    said = block.metadata if block else {}
    added = {key: value for key, value in facts.metadata.items() if key not in said}
    if not added:
        return text, {}
    end = "\r\n" if "\r\n" in text else "\n"
    lines = yaml.safe_dump(added, sort_keys=True, allow_unicode=True).rstrip("\n").replace("\n", end)
    if block is None:
        completed = f"---{end}{lines}{end}---{end}{text}"
    else:
        gap = "" if text[: block.end].endswith(("\n", "\r")) or block.start == block.end else end
        tail = end if block.start == block.end else ""
        completed = f"{text[: block.end]}{gap}{lines}{tail}{text[block.end :]}"
    _check_same(completed, said | added)
    return completed, added


def _check_same(completed: str, wanted: dict[str, Any]) -> None:
    try:
        block = find_front_matter(completed)
    except InvalidInput:
        block = None
    if block is None or block.metadata != wanted:
        lines = yaml.safe_dump(wanted, sort_keys=True, allow_unicode=True)
        raise UnprocessableFile(
            "could not complete the card: its front matter is written in a form that cannot be added to",
            hint=f"Write these lines between the two `---` yourself:\n{lines}",
        )


def _with_block(text: str, facts: FolderFacts) -> tuple[str, tuple[str, ...]]:
    """The text with our block as it is to be now, and what is missing."""
    begin, end = text.find(BEGIN), text.find(END)
    if (begin < 0) != (end < 0) or end < begin or text.count(BEGIN) > 1 or text.count(END) > 1:
        raise UnprocessableFile(
            "could not complete the card: the marks of the block that `weighbridge document` writes are broken",
            hint="Remove both lines that begin with `<!-- weighbridge document:`, and run it again.",
        )
    own = text[:begin] + text[end + len(END) :] if begin >= 0 else text
    missing = _missing(own, facts)
    newline = "\r\n" if "\r\n" in own else "\n"
    block = _block(own, facts, missing).replace("\n", newline)
    if begin >= 0:
        return text[:begin] + block + text[end + len(END) :], missing
    gap = "" if not own.strip() else newline if own.endswith(("\n", "\r")) else newline * 2
    return f"{own}{gap}{block}{newline}", missing


def _missing(own: str, facts: FolderFacts) -> tuple[str, ...]:
    block = find_front_matter(own)
    said = block.metadata if block else {}
    missing = [words for key, words in _WANTED.items() if said.get(key) in (None, "", [])]
    if not said.get("license") and facts.licence_file:
        missing[0] += f"; {facts.licence_file} is not one that is recognised word for word"
    headings = [heading.lower() for heading in _headings(own[block.body_start :] if block else own)]
    for section, words in _SECTIONS.items():
        if not any(re.search(rf"\b{word}", heading) for heading in headings for word in words):
            missing.append(f"{section}: no section of the card is about it")
    return tuple(missing)


def _headings(body: str) -> list[str]:
    """Headings of the author's text, not those inside of fences."""
    found: list[str] = []
    fenced = False
    for line in body.splitlines():
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
        elif not fenced and (match := re.match(r" {0,3}#{1,6}\s+(.*)", line)):
            found.append(match[1])
    return found


def _block(own: str, facts: FolderFacts, missing: tuple[str, ...]) -> str:
    """Our block. README.md is not in its list of files: it would change by being written."""
    has_details = any(heading.strip().lower() == "model details" for heading in _headings(own))
    lines = [BEGIN, f"## Model details{' (from the files)' if has_details else ''}", ""]
    if facts.details:
        lines += ["| what | value | taken from |", "|---|---|---|"]
        lines += [f"| {what} | {value} | `{source}` |" for what, value, source in facts.details]
    else:
        lines.append("The files do not say: there is no configuration or weights file that could be read.")
    files = [(path, size_bytes) for path, size_bytes in facts.files if path != CARD_NAME]
    lines += ["", "## Files", "", "| file | bytes |", "|---|---|"]
    lines += [f"| {_code(path)} | {size_bytes:,} |" for path, size_bytes in files[:MAX_LISTED_FILES]]
    if len(files) > MAX_LISTED_FILES:
        rest = files[MAX_LISTED_FILES:]
        lines.append(f"| {len(rest):,} more | {sum(size_bytes for _, size_bytes in rest):,} |")
    if missing:
        lines += ["", "## Not stated", "", *(f"- {words}" for words in missing)]
    return "\n".join([*lines, END])


def _code(path: str) -> str:
    """The path as a table cell: a code span that no character of it can end."""
    safe = "".join(char if char.isprintable() and char not in "`|<>" else "?" for char in path)
    return f"`{safe}`"


def _replace(path: Path, text: str) -> None:
    """A durable write: the old card or the new one, never half of one."""
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o644
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with part.open("xb") as file:
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), mode)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise UnreadableFile(f"could not write {path}: {error.strerror}") from error
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
