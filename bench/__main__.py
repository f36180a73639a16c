"""``python -m bench``: measures, prints the table, adds it to ``docs/performance.md``."""

from __future__ import annotations

import argparse
import datetime
import shutil
import sys
import tempfile
from pathlib import Path

from bench import download, machine, metadata, report, startup, upload, verify
from bench.hub import BenchHub, make_model
from bench.measure import Row

DOCUMENT = Path(__file__).parent.parent / "docs" / "performance.md"
PARTS = ("startup", "upload", "metadata", "download", "verify")


def main() -> int:
    """Runs the parts that were asked for."""
    words = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    words.add_argument("--mib", type=int, default=1024, help="size of the large file (default 1024)")
    words.add_argument("--repeats", type=int, default=3, help="repeats of each measure (default 3)")
    words.add_argument("--only", action="append", choices=PARTS, help="measure this part only; may be repeated")
    words.add_argument(
        "--work", type=Path, help="folder to work in, on the disk to be measured (default: a temporary one)"
    )
    words.add_argument("--no-write", action="store_true", help="do not add to docs/performance.md")
    options = words.parse_args()
    parts = tuple(part for part in PARTS if part in (options.only or PARTS))
    with tempfile.TemporaryDirectory(prefix="weighbridge-bench-", dir=options.work) as folder:
        rows = _measure(parts, Path(folder), size=options.mib << 20, repeats=options.repeats)
    print(report.table(rows))
    if not options.no_write:
        report.append(
            DOCUMENT,
            rows,
            date=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
            machine=machine.describe(),
            command=" ".join(["python -m bench", *sys.argv[1:]]),
            repeats=options.repeats,
        )
        print(f"\nadded to {DOCUMENT}")
    return 0


def _measure(parts: tuple[str, ...], work: Path, *, size: int, repeats: int) -> list[Row]:
    free = shutil.disk_usage(work).free
    if free < 6 * size:
        raise SystemExit(
            f"{work} has {free >> 20} MiB free; {6 * size >> 20} MiB are needed: name another folder with --work"
        )
    rows: list[Row] = []
    if "startup" in parts:
        _say("cold starts")
        rows += startup.measure(work, repeats=repeats)
    if parts == ("startup",):
        return rows
    _say(f"a model of {size >> 20} MiB")
    weights = make_model(work / "model", size)
    hub = BenchHub(work / "hub")
    hub.start()
    try:
        rows += _measure_hub(hub, weights, parts, work, repeats=repeats)
    finally:
        hub.stop()
    return rows


def _measure_hub(hub: BenchHub, weights: Path, parts: tuple[str, ...], work: Path, *, repeats: int) -> list[Row]:
    rows: list[Row] = []
    _create_namespace(hub)
    if "upload" in parts:
        _say("upload")
        rows += upload.measure(hub, weights.parent, work, repeats=repeats)
    else:
        upload.release(hub, weights.parent, "bench/model", work)
    if "metadata" in parts:
        _say("metadata")
        rows += metadata.measure(hub, repeats=repeats)
    if "download" in parts:
        _say("download")
        rows += download.measure(hub, weights, work, repeats=repeats)
    if "verify" in parts:
        _say("verify")
        rows += verify.measure(hub, work, repeats=repeats)
    return rows


def _create_namespace(hub: BenchHub) -> None:
    from bench.hub import WEIGHBRIDGE
    from bench.measure import run

    run([*WEIGHBRIDGE, "admin", "org", "create", "bench", "--admin", "admin", "--data", hub.data])


def _say(words: str) -> None:
    print(f"measuring: {words}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
