"""``weighbridge``: finds the command, runs it, turns errors into words and exit codes.

A command's module is imported when the command is called. The table below holds each command's line of help, so that
``weighbridge --help`` imports none of them.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

import click
from click.shell_completion import CompletionItem

from weighbridge import __version__
from weighbridge.cli.console import DONE, INTERRUPTED, LOCAL_FILE, UNREACHABLE, USAGE, HubUnreachable, report
from weighbridge.errors import UnreadableFile, WeighbridgeError


class Entry(NamedTuple):
    """Where a command is found (attribute of its own name in ``weighbridge.cli.<module>``) and its line of help."""

    module: str
    help: str


COMMANDS = {
    "demo": Entry("demo", "Show all of it: a hub, a real small model, released, downloaded, verified."),
    "serve": Entry("serve", "Run a hub: web process and worker."),
    "worker": Entry("worker", "Run one more worker for a hub on PostgreSQL and S3."),
    "release": Entry("release", "Release a checkpoint folder: inspect, document, decide, approve, sign, log, publish."),
    "document": Entry("document", "Complete the model card of a folder from what its files say."),
    "approve": Entry("approve", "Approve the transition of a release, signed with your key."),
    "reject": Entry("approve", "Reject the transition of a release, signed with your key."),
    "withdraw": Entry("withdraw", "Withdraw a release, with a reason that readers see."),
    "verify": Entry("verify", "Check a release or a downloaded folder against its proof, offline."),
    "admin": Entry("admin", "Users, organisations, roles and tokens of a hub, on its data folder."),
    "settings": Entry("settings", "Show each setting, its value and where it comes from."),
    "doctor": Entry("doctor", "Say what is wrong with an installation, and what to do."),
    "completion": Entry("completion", "Print the completion script of a shell: bash, zsh or fish."),
}

EPILOG = "Exit codes: 0 done, 1 refused, 2 wrong usage, 3 waits at the gate, 4 no hub, 5 not allowed, 6 local file."


class LazyGroup(click.Group):
    """A group that imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Names in the order of the table: the way of a release, then the keeper's commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command, imported now."""
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module = importlib.import_module(f"weighbridge.cli.{entry.module}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, with the nearest names when there is no such command."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=3)
            ctx.fail(f"No such command {args[0]!r}." + (f" Did you mean {' or '.join(near)}?" if near else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The table, without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names from the table, so that a key press imports nothing."""
        found = [
            CompletionItem(name, help=entry.help) for name, entry in COMMANDS.items() if name.startswith(incomplete)
        ]
        return found + click.Command.shell_complete(self, ctx, incomplete)


@click.command(
    cls=LazyGroup,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(__version__, "--version", prog_name="weighbridge")
def weighbridge() -> None:
    """The release system for open-weight AI models.

    From a checkpoint folder to a download that anyone can check. Try `weighbridge demo`.
    """


def main(args: Sequence[str] | None = None) -> None:
    """Runs the command line and exits the process with its code."""
    words = list(sys.argv[1:] if args is None else args)
    sys.exit(run(words))


def run(words: list[str]) -> int:
    """Runs one command line; gives its exit code, having printed what went wrong."""
    as_json = "--json" in words
    try:
        result = weighbridge.main(words, prog_name="weighbridge", standalone_mode=False)
        return result if isinstance(result, int) else DONE
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return USAGE
    except WeighbridgeError as error:
        return report(error, as_json=as_json)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted: run it again to resume", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone (`weighbridge … | head`): say no more, also at interpreter exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except ConnectionError as error:
        report(HubUnreachable(f"could not reach the hub: {error}"), as_json=as_json)
        return UNREACHABLE
    except OSError as error:
        if error.filename is None:
            raise
        report(UnreadableFile(f"could not use {error.filename}: {error.strerror}"), as_json=as_json)
        return LOCAL_FILE
    except Exception as error:
        # urllib3 is imported by few commands, so its errors are known by their module.
        if not type(error).__module__.startswith("urllib3."):
            raise
        report(HubUnreachable(f"could not reach the hub: {error}"), as_json=as_json)
        return UNREACHABLE


if __name__ == "__main__":
    main()
