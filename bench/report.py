"""The table for the terminal, and the rows for ``docs/performance.md``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.measure import Row

HEAD = """# Performance

Written by `make bench`, newest run last. Each row is of one run, on one machine, with its peer in the same run: read
the ratio, not the seconds. Ours and the peer's are medians, the least of the repeats in brackets. An aim that is missed
stands here as missed; no test asserts a time.

- **download**: curl to `/dev/null` over loopback, the file in the page cache, nginx with `sendfile on` and one worker.
- **upload**: from the start of `weighbridge release` until the hub has every byte, hashed and fsynced, and has accepted
  the candidate. The peer copies and hashes on one side only, and does not fsync.
- **CPU**: of the server's processes (web process and worker), by the kernel's scheduler statistics.
"""


def table(rows: Sequence[Row]) -> str:
    """The rows in columns."""
    lines = [
        (row.what, _both(row.ours, row.ours_best, row.unit), _peer(row), _value(row), row.aim, _verdict(row))
        for row in rows
    ]
    head = ("what", "ours", "peer", "value", "aim", "")
    widths = [max(len(line[column]) for line in (head, *lines)) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in (head, *lines)
    )


def append(path: Path, rows: Sequence[Row], *, date: str, machine: str, command: str, repeats: int) -> None:
    """Adds one run to the document, which is made when missing."""
    text = path.read_text("utf-8") if path.exists() else HEAD
    lines = [
        f"\n## {date}\n",
        f"{machine}. `{command}`, {repeats} repeats.\n",
        "| what | ours | peer | value | aim | |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = (row.what, _both(row.ours, row.ours_best, row.unit), _peer(row), _value(row), row.aim, _verdict(row))
        lines.append("| " + " | ".join(cells) + " |")
    path.write_text(text.rstrip("\n") + "\n" + "\n".join(lines) + "\n", "utf-8")


def _both(median: float, best: float, unit: str) -> str:
    return f"{_number(median)} {unit} ({_number(best)})"


def _peer(row: Row) -> str:
    if row.peer is None or row.peer_best is None:
        return ""
    return f"{row.peer_name}: {_both(row.peer, row.peer_best, row.unit)}"


def _value(row: Row) -> str:
    return f"{row.value:.2f} {row.value_name}" if row.peer is not None else ""


def _verdict(row: Row) -> str:
    return {True: "met", False: "missed", None: ""}[row.met]


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 20 else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"
