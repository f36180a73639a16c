"""``weighbridge settings``: each setting, its value, where it comes from; secrets masked."""

from __future__ import annotations

from pathlib import Path

import click

from weighbridge.cli.console import json_option, print_json, settings_of, settings_options


@click.command()
@settings_options
@json_option
def settings(data: Path | None, config: Path | None, as_json: bool) -> None:
    """Show each setting, its value and where it comes from.

    A setting is taken from its flag, else from WEIGHBRIDGE_<NAME> in the environment, else from the settings file, else
    from its default. Secrets are masked.
    """
    from weighbridge.settings import describe, masked, setting_names

    found = settings_of(data, config)
    shown = {
        name: {"value": masked(found, name), "source": found.sources[name], "about": describe(name)}
        for name in setting_names()
    }
    if as_json:
        print_json(shown)
        return
    width = max(len(name) for name in shown)
    for name, line in shown.items():
        value = "-" if line["value"] in (None, "") else str(line["value"])
        click.echo(f"{name:<{width}}  {value:<28}  {line['source']:<24}  {line['about']}")
