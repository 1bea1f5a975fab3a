"""Settings come from the environment, and refuse nonsense in one sentence."""

from pathlib import Path

import pytest

from engine.domain.errors import BadInput
from serving.settings import read_settings, tenant_named


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_what_is_given_wins_over_the_environment_and_that_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("TRAILMATE_PORT=1\nTRAILMATE_HOST=h1\nTRAILMATE_DATA=d1\nOTHER=x\n")
    monkeypatch.setenv("TRAILMATE_PORT", "2")
    monkeypatch.setenv("TRAILMATE_HOST", "h2")
    settings = read_settings(port=3, host=None)
    assert (settings.port, settings.host, settings.data) == (3, "h2", Path("d1"))


def test_the_store_lies_in_the_data_folder_unless_it_is_named(tmp_path: Path) -> None:
    assert read_settings(data=tmp_path).store_url == f"sqlite+aiosqlite:///{tmp_path}/store.db"
    assert read_settings(database_url="sqlite+aiosqlite:////x.db").store_url == "sqlite+aiosqlite:////x.db"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "99999"),
        ("PORT", "http"),
        ("DATABASE_URL", "mysql://x:secret@y"),
        ("KEY_CACHE_S", "60"),
        ("MAX_BODY_BYTES", "-1"),
    ],
)
def test_nonsense_is_refused_naming_the_variable_but_not_its_value(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"TRAILMATE_{name}", value)
    with pytest.raises(BadInput, match=f"setting TRAILMATE_{name}: ") as refusal:
        read_settings()
    assert "secret" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", ["", "A", "a/b", "a b", "-a", "a" * 65, "../x"])
def test_a_tenant_has_a_plain_name(name: str) -> None:
    with pytest.raises(BadInput, match="tenant"):
        tenant_named(name)
    assert tenant_named("school-7_b") == "school-7_b"
