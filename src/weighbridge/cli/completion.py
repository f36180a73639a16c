"""``weighbridge completion``: the script that teaches a shell our commands and options."""

from __future__ import annotations

import click

from weighbridge.cli.console import json_option, print_json


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@json_option
def completion(shell: str, as_json: bool) -> None:
    """Print the completion script of SHELL.

    \b
    bash   weighbridge completion bash > ~/.local/share/bash-completion/completions/weighbridge
    zsh    weighbridge completion zsh > "${fpath[1]}/_weighbridge"
    fish   weighbridge completion fish > ~/.config/fish/completions/weighbridge.fish
    """
    from click.shell_completion import get_completion_class

    from weighbridge.cli.main import weighbridge

    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(weighbridge, {}, "weighbridge", "_WEIGHBRIDGE_COMPLETE").source()
    if as_json:
        print_json({"shell": shell, "script": script})
        return
    click.echo(script)
