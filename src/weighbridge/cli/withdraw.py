"""``weighbridge withdraw``: takes a release back, with a reason that readers see."""

from __future__ import annotations

import click

from weighbridge.cli.console import DONE, json_option, print_json
from weighbridge.errors import InvalidInput


@click.command()
@click.argument("repo", metavar="NS/NAME@N")
@click.option("--reason", metavar="TEXT", required=True, help="Why; every reader sees it.")
@click.option("--hub", metavar="URL", help="The hub (default: WEIGHBRIDGE_HUB, else HF_ENDPOINT).")
@click.option("--type", "kind", type=click.Choice(["model", "dataset"]), default="model")
@json_option
def withdraw(repo: str, reason: str, hub: str | None, kind: str, as_json: bool) -> int:
    """Withdraw release N of NS/NAME: from now on nobody reads it here, and everybody sees why.

    What was downloaded before cannot be called back; `weighbridge verify` tells its holders when they are online.
    """
    from weighbridge.cli.hub_client import connect, parse_repo
    from weighbridge.cli.releasing.waiting import read_release

    client = connect(hub)
    name = parse_repo(repo, kind)
    if "@" not in repo:
        raise InvalidInput(f"could not withdraw {repo}: say which release", hint=f"For example: {repo}@1")
    answer = client.json("POST", f"{name.path}/releases/{name.release}/withdrawal", {"reason": reason})
    done = read_release(answer)
    advisory = done.withdrawal.advisory if done.withdrawal else ""
    click.echo(f"withdrew release {done.number} of {done.repo}, advisory {advisory}", err=True)
    if as_json:
        print_json(answer)
    return DONE
