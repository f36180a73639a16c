"""What a person sees of a release on its way: a bar for what works now, one line for each stage that is over.

    with Screen(quiet=as_json) as screen:
        screen.work("send", total_bytes=size); screen.advance(n); screen.outcome("send", …)

On a terminal the bars move; elsewhere there are plain lines. All of it goes to standard error, so that standard output
is the result alone.
"""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from weighbridge.release.shown import StageView
from weighbridge.release.stages import in_words

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

MARKS = {"passed": "+", "failed": "x", "waiting": "~", "running": ">"}
STYLES = {"passed": "green", "failed": "red", "waiting": "yellow", "running": "blue"}
NAME_WIDTH = 9


class Screen:
    """Owned by the main thread, except ``advance``, which any thread may call."""

    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._name = ""
        self._since_s = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_bar()

    def work(self, name: str, *, total_bytes: int = 0) -> None:
        """Something works now. Bars are shown on a terminal only."""
        if name == self._name:
            return
        self._end_bar()
        self._name = name
        self._since_s = time.monotonic()
        if self._console.is_terminal:
            self._progress = _bars(self._console, counted=total_bytes > 0)
            self._progress.start()
            self._task = self._progress.add_task(f"  {name}", total=total_bytes or None)

    def advance(self, size_bytes: int) -> None:
        """So many more bytes are done."""
        if self._progress is not None and self._task is not None:
            self._progress.advance(self._task, size_bytes)

    def reach(self, done_bytes: int, total_bytes: int) -> None:
        """So many bytes are done in all."""
        if self._progress is not None and self._task is not None and total_bytes:
            self._progress.update(self._task, completed=done_bytes, total=total_bytes)

    def outcome(self, name: str, words: str, *, state: str = "passed", took_s: float | None = None) -> None:
        """The one line of something that is over."""
        if name == self._name:
            took_s = time.monotonic() - self._since_s if took_s is None else took_s
        self._end_bar()
        duration = f"  {took_s:.1f} s" if took_s is not None else ""
        self._print(f"{MARKS[state]} {name:<{NAME_WIDTH}} {words}{duration}", style=STYLES[state])

    def detail(self, words: str) -> None:
        """A line under the last one."""
        self._print(f"  {'':<{NAME_WIDTH}} {words}", style=None)

    def say(self, words: str = "") -> None:
        """A line for itself."""
        self._print(words, style=None)

    def _print(self, words: str, *, style: str | None) -> None:
        self._console.print(printable(words), style=style, markup=False)

    def _end_bar(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            sys.stderr.flush()
        self._progress, self._task, self._name = None, None, ""


def printable(words: str) -> str:
    """The words without control characters: what others wrote must not steer this terminal."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in words)


def stage_line(stage: StageView) -> tuple[str, float]:
    """A stage's outcome in words, and how long it took in seconds."""
    words = stage.summary
    if stage.total_bytes and in_words(stage.total_bytes) not in words:
        words = f"{words}, {in_words(stage.total_bytes)}"
    return words, _seconds(stage.ended_at or stage.started_at) - _seconds(stage.started_at)


def _seconds(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()


def _bars(console: Any, *, counted: bool) -> Progress:
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TransferSpeedColumn,
    )

    counters = (DownloadColumn(), TransferSpeedColumn()) if counted else ()
    columns = (SpinnerColumn(), TextColumn("{task.description:<11}"), BarColumn(), *counters, TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True)
