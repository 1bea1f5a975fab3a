"""Where the commands meet, and where errors become one sentence and an exit code."""

import os
import sys

# One thread in BLAS keeps every answer the same to the last digit; numpy reads this when it is first imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import typer
from typer.exceptions import TyperException

from engine.domain.errors import TrailmateError

app = typer.Typer(
    name="trailmate",
    help="What each learner should do next, and with whom, and why.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def main(arguments: list[str] | None = None) -> None:
    """Run one command: exit code 0 done, 1 failed or refused, 2 wrong usage, 130 interrupted."""
    from trailmate.cli import commands

    if not app.registered_groups:
        commands.register(app)
    try:
        code = app(args=arguments, standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except TyperException as problem:
        # Typer carries its own copy of click: click's own classes would not catch a wrong usage.
        sys.stderr.write(f"{problem.format_message()}\nTry `trailmate --help`, or the command with --help.\n")
        sys.exit(2)
    except (typer.Abort, KeyboardInterrupt):
        sys.stderr.write("interrupted\n")
        sys.exit(130)
    except TrailmateError as problem:
        sys.stderr.write(f"trailmate: {problem}\n")
        sys.exit(1)
    except OSError as problem:
        what = f"{problem.strerror}: {problem.filename}" if problem.filename else str(problem)
        sys.stderr.write(f"trailmate: {what}; check the path, its rights and the free space\n")
        sys.exit(1)
