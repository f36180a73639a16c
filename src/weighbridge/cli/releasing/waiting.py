"""Follows a release on the hub: each stage's line as it ends, what is missing at the gate, and how it ended.

release = follow(client, repo, number, screen, wait_at_gate=True)
"""

from __future__ import annotations

import time

import msgspec

from weighbridge.cli.hub_client import HubClient, RepoName
from weighbridge.cli.releasing.showing import Screen, stage_line
from weighbridge.errors import VerificationFailed, WeighbridgeError
from weighbridge.release.names import ReleaseState, Stage, StageState
from weighbridge.release.shown import ReleaseView, StageView

POLL_S = 0.25
WAIT_AT_GATE_S = 20
STILL_S = 10.0
_OVER = (StageState.PASSED, StageState.FAILED)


def read_release(answer: object) -> ReleaseView:
    """The release of the hub's answer.

    Raises:
        VerificationFailed: the answer is not one.
    """
    try:
        return msgspec.convert(answer, ReleaseView)
    except msgspec.ValidationError as error:
        raise VerificationFailed(f"could not read the hub's answer: {error}", check="answer") from error


def get_release(client: HubClient, repo: RepoName, number: int | str, query: str = "") -> ReleaseView:
    """The release as it is now."""
    return read_release(client.json("GET", f"{repo.path}/releases/{number}{query}"))


def follow(
    client: HubClient, repo: RepoName, release: ReleaseView, screen: Screen, *, wait_at_gate: bool
) -> ReleaseView:
    """The release once it is decided, or waits at the gate and ``wait_at_gate`` is False."""
    shown: dict[str, str] = {}
    told_missing: list[str] = []
    stillness = _Stillness(client, screen)
    while True:
        _show_stages(release, screen, shown)
        if _is_over(release):
            return release
        stillness.look(release)
        if release.state is ReleaseState.WAITING:
            if not wait_at_gate:
                return release
            told_missing = _show_missing(client, repo, release, screen, told_missing)
            query = f"?wait={WAIT_AT_GATE_S}&since={release.updated_at}"
            release = get_release(client, repo, release.number, query)
        else:
            time.sleep(POLL_S)
            release = get_release(client, repo, release.number)


def missing_lines(release: ReleaseView) -> list[str]:
    """What is missing at the gate, in words."""
    missing = {one.rule for one in release.missing}
    return [
        f"{rule.title}{f' ({rule.detail})' if rule.detail else ''}: {rule.remedy}"
        for rule in release.rules
        if rule.id in missing
    ]


def approve_command(client: HubClient, repo: RepoName, release: ReleaseView) -> str:
    """What an approver types."""
    kind = "" if repo.kind == "model" else f" --type {repo.kind}"
    return f"weighbridge approve {repo.full_name}@{release.number}{kind} --hub {client.url}"


class _Stillness:
    """Notices that no stage moves, and says why: without it, a hub whose worker is down is waited for in silence."""

    def __init__(self, client: HubClient, screen: Screen) -> None:
        self._client = client
        self._screen = screen
        self._seen: object = None
        self._told = ""
        self._look_s = 0.0

    def look(self, release: ReleaseView) -> None:
        """Asks the hub after ``STILL_S`` seconds without a change; the same answer is told once."""
        seen = release.updated_at, [(stage.name, stage.state, stage.done_bytes) for stage in release.stages]
        now_s = time.monotonic()
        if seen != self._seen:
            self._seen, self._look_s = seen, now_s + STILL_S
            return
        if release.state is not ReleaseState.RUNNING or now_s < self._look_s:
            return
        self._look_s = now_s + STILL_S
        is_at_work = any(stage.state == StageState.RUNNING for stage in release.stages)
        words = why_still(_worker_word(self._client), is_at_work=is_at_work)
        if words and words != self._told:
            self._told = words
            self._screen.outcome("worker", words, state="waiting")
            self._screen.detail("The release is kept: Ctrl-C ends this wait, the same command goes on with it.")


def _worker_word(client: HubClient) -> str:
    """What ``/readyz`` says of the worker: ok, late, unknown; empty when it does not say."""
    try:
        answer = client.send("GET", "/readyz").body
    except WeighbridgeError:
        return ""
    return str(answer.get("worker", "")) if isinstance(answer, dict) else ""  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]


def why_still(worker: str, *, is_at_work: bool) -> str:
    """Why no stage moves, in words; empty when one is at work and the worker lives."""
    if worker in ("late", "unknown"):
        since = "for over a minute" if worker == "late" else "since the hub was made"
        return (
            f"the hub's worker has not been seen {since}, so no stage moves. Who keeps the hub starts it with"
            " `weighbridge serve` or `weighbridge worker`; `weighbridge doctor` says what is wrong"
        )
    if is_at_work:
        return ""
    return f"no stage has moved for {STILL_S:.0f} s: the hub's worker has other releases first, or has just stopped"


def _is_over(release: ReleaseView) -> bool:
    if release.state is ReleaseState.RELEASED:
        return all(stage.state in _OVER for stage in release.stages)
    return release.state not in (ReleaseState.RUNNING, ReleaseState.WAITING)


def _show_stages(release: ReleaseView, screen: Screen, shown: dict[str, str]) -> None:
    for stage in release.stages:
        if stage.state in _OVER:
            # A stage that is decided again after an approval gets its line again only if the outcome is another.
            if shown.get(stage.name) != stage.summary:
                shown[stage.name] = stage.summary
                _show_stage(stage, screen)
                if stage.name == Stage.DECIDE:
                    _show_warnings(release, screen)
        elif stage.state == StageState.RUNNING:
            screen.work(stage.name, total_bytes=stage.total_bytes)
            screen.reach(stage.done_bytes, stage.total_bytes)


def _show_stage(stage: StageView, screen: Screen) -> None:
    words, took_s = stage_line(stage)
    screen.outcome(stage.name, words, state=stage.state, took_s=took_s)
    for reason in stage.reasons:
        screen.detail(reason)


def _show_warnings(release: ReleaseView, screen: Screen) -> None:
    for rule in release.rules:
        if rule.severity == "warn" and not rule.passed:
            detail = f" ({rule.detail})" if rule.detail else ""
            screen.detail(f"warning, stops nothing: not met: {rule.title}{detail}. {rule.remedy}")


def _show_missing(
    client: HubClient, repo: RepoName, release: ReleaseView, screen: Screen, told: list[str]
) -> list[str]:
    missing = missing_lines(release)
    if missing and missing != told:
        screen.outcome("approve", f"release {release.number} waits at the gate. What is missing:", state="waiting")
        for line in missing:
            screen.detail(f"- {line}")
        screen.detail(f"Approvers run: {approve_command(client, repo, release)}")
        screen.detail(f"or use its page: {release.url}")
    screen.work("approve")
    return missing
