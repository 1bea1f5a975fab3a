"""The list of commands, one module each."""

import typer


def register(app: typer.Typer) -> None:
    """Add every command to the app."""
