"""``weighbridge doctor``: what is wrong with an installation, and what to do about it. It changes nothing."""

from __future__ import annotations

from pathlib import Path

import click

from weighbridge.cli.console import DONE, REFUSED, json_option, print_json, settings_of, settings_options


@click.command()
@settings_options
@json_option
@click.pass_context
def doctor(ctx: click.Context, data: Path | None, config: Path | None, as_json: bool) -> None:
    """Check this installation: one line a check, and what to do where something is wrong.

    Safe while `serve` runs. Exits 1 when a check fails; warnings alone exit 0.
    """
    from weighbridge.cli.checkup import State, examine

    found = examine(settings_of(data, config))
    if as_json:
        print_json(
            {
                "ok": all(line.state is not State.FAIL for line in found),
                "checks": [
                    {"check": line.check, "state": line.state.value, "detail": line.detail, "remedy": line.remedy}
                    for line in found
                ],
            }
        )
    else:
        width = max(len(line.check) for line in found)
        for line in found:
            click.echo(f"{line.state.value:<4}  {line.check:<{width}}  {line.detail}")
            if line.remedy:
                click.echo(f"{'':<4}  {'':<{width}}  -> {line.remedy}")
    ctx.exit(REFUSED if any(line.state is State.FAIL for line in found) else DONE)
