"""``weighbridge release``: a checkpoint folder goes to the hub, through every stage, and out to its audience."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from weighbridge.cli.console import DONE, REFUSED, WAITS, json_option, print_json
from weighbridge.errors import Conflict, InvalidInput

if TYPE_CHECKING:
    from weighbridge.cli.hub_client import HubClient, RepoName
    from weighbridge.cli.releasing.folder import Folder
    from weighbridge.cli.releasing.showing import Screen
    from weighbridge.release.shown import ReleaseView

AUDIENCE = click.Choice(["none", "internal", "partners", "gated", "public"])
CREATE_ATTEMPTS = 6


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("repo", metavar="NS/NAME")
@click.option("--weights", type=AUDIENCE, default="public", show_default=True, help="Who may download.")
@click.option("--inference", type=AUDIENCE, help="Who may use the hosted model (default: as --weights).")
@click.option("--policy", metavar="P", help="A stricter policy than the repo's: open, responsible, or a file.")
@click.option("--hub", metavar="URL", help="The hub (default: WEIGHBRIDGE_HUB, else HF_ENDPOINT).")
@click.option("--type", "kind", type=click.Choice(["model", "dataset"]), default="model", show_default=True)
@click.option("--message", "-m", default="", help="The commit's message.")
@click.option(
    "--document/--no-document", default=True, show_default=True, help="First complete the model card from the files."
)
@click.option("--no-wait", is_flag=True, help="Do not wait at the gate: exit 3.")
@json_option
def release(
    folder: Path,
    repo: str,
    weights: str,
    inference: str | None,
    policy: str | None,
    hub: str | None,
    kind: str,
    message: str,
    document: bool,
    no_wait: bool,
    as_json: bool,
) -> int:
    """Release the files in DIR as NS/NAME.

    They are sent (what the hub has from you already is not sent again), inspected, documented, decided on, approved,
    signed, logged and published. At the gate it waits for approvals and says what is missing. Run again after a break,
    it goes on where it was.
    """
    from weighbridge.cli.hub_client import connect, parse_repo
    from weighbridge.cli.policy_flag import policy_text
    from weighbridge.cli.releasing.folder import walk
    from weighbridge.cli.releasing.showing import Screen
    from weighbridge.cli.releasing.waiting import follow, read_release

    client = connect(hub)
    name = parse_repo(repo, kind)
    if "@" in repo:
        raise InvalidInput(f"could not release as {repo}: the hub gives a release its number")
    wish = {"weights": weights, "inference": inference, "message": message, "policy": policy_text(policy)}
    with Screen() as screen:
        if document and kind == "model":
            _complete_card(folder, screen)
        found = walk(folder)
        for path in found.left_out:
            screen.say(f"  left out {path}")
        _ensure_repo(client, name)
        files = _send(client, name, found, screen)
        placed = read_release(client.json("POST", f"{name.path}/releases", {**wish, "files": files}))
        done = follow(client, name, placed, screen, wait_at_gate=not no_wait)
        code = _tell(client, name, done, screen)
    if as_json:
        import msgspec

        print_json(msgspec.to_builtins(done))
    return code


def _complete_card(folder: Path, screen: Screen) -> None:
    from weighbridge.documents.card import complete_card

    if not folder.is_dir():
        return  # walk() says what is wrong with it
    change = complete_card(folder)
    if change.wrote:
        added = ", ".join(f"{key}: {value}" for key, value in change.added.items())
        screen.outcome("card", f"README.md completed from the files{f', added {added}' if added else ''}")
    if change.missing:
        screen.outcome("card", "what README.md does not say, and only you can:", state="waiting")
        for words in change.missing:
            screen.detail(f"- {words}")


def _ensure_repo(client: HubClient, name: RepoName) -> None:
    namespace, _, short = name.full_name.partition("/")
    # Private until a release opens it: making it must not ask for an audience that the release does not.
    body = {"name": short, "organization": namespace, "type": name.kind, "private": True}
    for attempt in range(CREATE_ATTEMPTS):
        try:
            client.json("POST", "/api/repos/create", body)
            return
        except Conflict:
            if _exists(client, name) or attempt == CREATE_ATTEMPTS - 1:
                return
            # Another call came between on the hub's database; the repo is not there.
            time.sleep(0.05 * 2**attempt)


def _exists(client: HubClient, name: RepoName) -> bool:
    from weighbridge.errors import NotFound

    try:
        client.json("GET", f"{name.path}/releases?limit=1")
    except NotFound:
        return False
    return True


def _send(client: HubClient, name: RepoName, found: Folder, screen: Screen) -> list[dict[str, Any]]:
    from weighbridge.cli.releasing.memory import Memory
    from weighbridge.cli.releasing.sending import Sender
    from weighbridge.release.stages import count, in_words

    memory = Memory.open(os.environ)
    try:
        sender = Sender(client, name.path, memory, on_bytes=lambda _, size_bytes: screen.advance(size_bytes))
        screen.work("send", total_bytes=found.size_bytes)
        digests = sender.send_all(found.files)
    finally:
        memory.close()
    words = f"{count(len(found.files), 'file')}, {in_words(sender.sent_bytes)} sent"
    if sender.skipped_bytes:
        words += f", {in_words(sender.skipped_bytes)} the hub had from you already"
    screen.outcome("send", words)
    return [{"path": file.path, "sha256": digests[file.path], "size_bytes": file.size_bytes} for file in found.files]


def _tell(client: HubClient, name: RepoName, done: ReleaseView, screen: Screen) -> int:
    from weighbridge.cli.releasing.waiting import approve_command, missing_lines
    from weighbridge.release.names import ReleaseState

    if done.state is ReleaseState.RELEASED:
        screen.say(f"released {done.repo} release {done.number}, weights {done.current.weights}: {done.url}")
        return DONE
    if done.state is ReleaseState.WAITING:
        screen.say(f"release {done.number} of {done.repo} waits at the gate. What is missing:")
        for line in missing_lines(done):
            screen.say(f"- {line}")
        screen.say(f"Approvers run: {approve_command(client, name, done)}")
        return WAITS
    screen.say(f"error: release {done.number} of {done.repo} is {done.state}: {done.problem}")
    for finding in done.findings:
        if finding.severity == "block":
            at = f" at byte {finding.at_byte}" if finding.at_byte is not None else ""
            screen.say(f"- {finding.file}{at}: {finding.title}. {finding.reason.rstrip('.')}. {finding.remedy}")
    screen.say(f"see {done.url}")
    return REFUSED
