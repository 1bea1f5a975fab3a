"""The list of commands, one module each."""

import typer

from trailmate.cli.audit import audit
from trailmate.cli.doctor import doctor
from trailmate.cli.evaluate import evaluate
from trailmate.cli.groups import groups
from trailmate.cli.import_log import import_app
from trailmate.cli.keeping import backup, migrate, restore
from trailmate.cli.keys import keys
from trailmate.cli.predict import predict
from trailmate.cli.promote import promote, rollback
from trailmate.cli.recommend import recommend
from trailmate.cli.serve import serve
from trailmate.cli.simulate import simulate
from trailmate.cli.store import export, load
from trailmate.cli.train import train


def register(app: typer.Typer) -> None:
    """Add every command to the app."""
    app.add_typer(import_app)
    app.command()(load)
    app.command()(export)
    app.command()(serve)
    app.command()(promote)
    app.command()(rollback)
    app.add_typer(keys, name="keys")
    app.add_typer(audit, name="audit")
    app.command()(train)
    app.command()(recommend)
    app.command()(predict)
    app.command()(evaluate)
    app.command()(groups)
    app.command()(simulate)
    app.command()(migrate)
    app.command()(backup)
    app.command()(restore)
    app.command()(doctor)
