"""``weighbridge approve`` and ``weighbridge reject``: a reviewer's signed word on exactly what is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from weighbridge.cli.console import DONE, json_option, print_json
from weighbridge.errors import PreconditionFailed

if TYPE_CHECKING:
    from weighbridge.release.shown import ReleaseView

F = TypeVar("F", bound=Callable[..., Any])


def _options(command: F) -> F:
    command = json_option(command)
    command = click.option("--type", "kind", type=click.Choice(["model", "dataset"]), default="model")(command)
    hub_help = "The hub (default: WEIGHBRIDGE_HUB, else HF_ENDPOINT)."
    command = click.option("--hub", metavar="URL", help=hub_help)(command)
    command = click.option("--digest", metavar="HEX", help="Only if the release has this digest.")(command)
    return click.argument("repo", metavar="NS/NAME[@N]")(command)


@click.command()
@_options
@click.option("--reason", metavar="TEXT", default="", help="Why; seen by writers, reviewers and auditors.")
def approve(repo: str, reason: str, digest: str | None, hub: str | None, kind: str, as_json: bool) -> int:
    """Approve the transition of a release: its newest one, or the one named.

    Your word binds the digest, the dials and the policy that are printed, and nothing else. It is signed with the key
    that the hub holds for your account. Needs the role reviewer, and a token with the scope approve.
    """
    return _speak(repo, "approve", reason=reason, digest=digest, hub=hub, kind=kind, as_json=as_json)


@click.command()
@_options
@click.option("--reason", metavar="TEXT", required=True, help="Why; seen by writers, reviewers and auditors.")
def reject(repo: str, reason: str, digest: str | None, hub: str | None, kind: str, as_json: bool) -> int:
    """Reject the transition of a release: its newest one, or the one named.

    One no is enough to refuse the release. It is signed as an approval is.
    """
    return _speak(repo, "reject", reason=reason, digest=digest, hub=hub, kind=kind, as_json=as_json)


def _speak(
    repo: str, verdict: str, *, reason: str, digest: str | None, hub: str | None, kind: str, as_json: bool
) -> int:
    from weighbridge.cli.hub_client import connect, parse_repo
    from weighbridge.cli.releasing.waiting import get_release, read_release

    client = connect(hub)
    name = parse_repo(repo, kind)
    release = get_release(client, name, name.release)
    _show(release)
    if digest is not None and digest.lower() != release.digest:
        raise PreconditionFailed(
            f"could not {verdict} release {release.number} of {release.repo}: its digest is {release.digest},"
            f" not {digest}"
        )
    body = {
        "release_digest": release.digest,
        "verdict": verdict,
        "reason": reason,
        "weights": release.wanted.weights,
        "inference": release.wanted.inference,
    }
    answer = client.json("POST", f"{name.path}/releases/{release.number}/approvals", body)
    done = read_release(answer)
    said = {"approve": "approved", "reject": "rejected"}[verdict]
    click.echo(f"{said} release {done.number} of {done.repo}, signed", err=True)
    if as_json:
        print_json(answer)
    return DONE


def _show(release: ReleaseView) -> None:
    """What is about to be approved, in words."""
    lines = [
        f"release  {release.number} of {release.repo} by {release.author}, {release.state}",
        f"digest   {release.digest}",
        f"weights  {release.current.weights} -> {release.wanted.weights}",
        f"infer.   {release.current.inference} -> {release.wanted.inference}",
        f"policy   {release.policy.name} {release.policy.sha256[:12]}",
        f"findings {len(release.findings)}",
        *(f"         {one.severity} {one.file}: {one.title}" for one in release.findings),
        *(f"missing  {one.title}" for one in release.missing),
    ]
    from weighbridge.cli.releasing.showing import printable

    for line in lines:
        click.echo(printable(line), err=True)
