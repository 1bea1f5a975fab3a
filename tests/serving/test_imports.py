"""A server starts without what it never needs: each of these costs memory and time in every process."""

import json
import subprocess
import sys

import pytest

NEVER = (
    "mlflow",
    "pandas",
    "sklearn",
    "torch",
    "lightfm",
    "scipy",
    "polars",
    "pyarrow",
    "alembic",
    "redis",
    "asyncpg",
    "sqlalchemy.orm",
    "sqlalchemy.dialects.postgresql",
    "rich",
    "engine.collaborators.propose",
    "serving.collaborating",
)


@pytest.fixture(scope="module")
def imported() -> set[str]:
    """What stands imported when the app is made and its command is there."""
    asking = (
        "import json, sys, trailmate.cli.commands, trailmate.cli.serve; from serving.app import create_app; "
        "from serving.settings import Settings; create_app(Settings()); "
        "import uvicorn.protocols.http.httptools_impl, uvloop; print(json.dumps(sorted(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", asking], capture_output=True, text=True, check=True)
    return set(json.loads(told.stdout))


@pytest.mark.parametrize("name", NEVER)
def test_serving_starts_without(imported: set[str], name: str) -> None:
    assert "serving.app" in imported
    assert name not in imported
