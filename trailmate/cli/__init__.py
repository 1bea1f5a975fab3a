"""The command line, `trailmate …`: parse, call one workflow, print."""

from trailmate.cli.app import main

__all__ = ["main"]
