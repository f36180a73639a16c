"""Follows a release on the hub: each stage's line as it ends, what is missing at the gate, and how it ended.

release = follow(client, repo, number, screen, wait_at_gate=True)
"""

from __future__ import annotations

import time

import msgspec

from weighbridge.cli.hub_client import HubClient, RepoName
from weighbridge.cli.releasing.showing import Screen, stage_line
from weighbridge.errors import VerificationFailed
from weighbridge.release.names import ReleaseState, StageState
from weighbridge.release.shown import ReleaseView, StageView

POLL_S = 0.25
WAIT_AT_GATE_S = 20
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
    while True:
        _show_stages(release, screen, shown)
        if _is_over(release):
            return release
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
        elif stage.state == StageState.RUNNING:
            screen.work(stage.name, total_bytes=stage.total_bytes)
            screen.reach(stage.done_bytes, stage.total_bytes)


def _show_stage(stage: StageView, screen: Screen) -> None:
    words, took_s = stage_line(stage)
    screen.outcome(stage.name, words, state=stage.state, took_s=took_s)
    for reason in stage.reasons:
        screen.detail(reason)


def _show_missing(
    client: HubClient, repo: RepoName, release: ReleaseView, screen: Screen, told: list[str]
) -> list[str]:
    missing = missing_lines(release)
    if missing != told:
        screen.outcome("approve", f"release {release.number} waits at the gate. What is missing:", state="waiting")
        for line in missing:
            screen.detail(f"- {line}")
        screen.detail(f"Approvers run: {approve_command(client, repo, release)}")
        screen.detail(f"or use its page: {release.url}")
    screen.work("approve")
    return missing
