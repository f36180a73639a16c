"""``weighbridge document``: completes the model card of a folder from what its files say, on the author's side."""

from __future__ import annotations

from pathlib import Path

import click

from weighbridge.cli.console import json_option, print_json


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--dry-run", is_flag=True, help="Say what would be added, and write nothing.")
@json_option
def document(folder: Path, dry_run: bool, as_json: bool) -> None:
    """Complete README.md of DIR: add what its files say and its card does not.

    Your own words and metadata stay as they are. What neither you nor the files say is listed as missing, not guessed.
    Run it before `weighbridge release`; run again, it changes nothing.
    """
    from weighbridge.documents.card import complete_card
    from weighbridge.errors import UnreadableFile

    if not folder.is_dir():
        raise UnreadableFile(f"could not read {folder}: it is not a folder")
    change = complete_card(folder, write=not dry_run)
    if as_json:
        said = {"added": change.added, "missing": list(change.missing)}
        print_json({**said, "changed": change.changed, "wrote": change.wrote})
        return
    for key, value in change.added.items():
        click.echo(f"  added    {key}: {value} (from {change.sources[key]})")
    for words in change.missing:
        click.echo(f"  missing  {words}")
    done = "written" if change.wrote else "would be written" if change.changed else "complete already, not touched"
    click.echo(f"{folder / 'README.md'}: {done}")
