"""What an operator may set, from `TRAILMATE_*` variables or a `.env` file."""

import re
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from engine.domain.errors import BadInput
from engine.rules.times import zone_named
from serving.storage.address import SQLITE, address_of

TENANT = "school"
_TENANT_FORM = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class Settings(BaseSettings):
    """Every setting with its default; `docs/operator.md` explains them, and a test holds both equal."""

    model_config = SettingsConfigDict(
        env_prefix="TRAILMATE_", env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True
    )

    data: Path = Field(default=Path("trailmate-data"), description="folder for everything Trailmate writes")
    database_url: str = Field(
        default="", description="the store, SQLite or PostgreSQL; empty means SQLite in DATA/store.db"
    )
    redis_url: str = Field(default="", description="a Redis or Valkey that servers share copies of learners in")
    outbox: bool = Field(default=False, description="keep events in DATA/outbox while the database is away")
    bundle: Path | None = Field(
        default=None, description="the bundle to serve; without one, answers are labelled fallback"
    )
    time_zone: str = Field(default="UTC", description="the school's time zone, in which days of rules begin and end")
    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8000, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    workers: int = Field(default=1, ge=1, le=64, description="processes that answer behind one address")
    max_waiting: int = Field(default=256, ge=1, description="who wait for an answer in one process; more get 503")
    patience_s: float = Field(default=2, gt=0, le=60, description="seconds after which a waiting request gets 503")
    drain_s: float = Field(default=0.5, ge=0, le=60, description="seconds of answering on after SIGTERM")
    max_body_bytes: int = Field(default=5_000_000, ge=1_000, description="larger requests get 413")
    key_cache_s: float = Field(default=0.5, ge=0, le=1, description="seconds a verified key is remembered")
    key_grace_s: float = Field(
        default=900, ge=0, le=86_400, description="seconds a verified key opens while the database is away"
    )

    quota_requests_per_minute: int = Field(
        default=0, ge=0, description="requests that one tenant may send in a minute to this server; 0 is no limit"
    )
    quota_events_per_day: int = Field(
        default=0, ge=0, description="events that this server takes from one tenant in a day (UTC); 0 is no limit"
    )

    @field_validator("database_url")
    @classmethod
    def _offered(cls, url: str) -> str:
        if url and address_of(url) is None:
            raise ValueError("must start with postgresql:// or sqlite+aiosqlite:///, the stores that are offered")
        return url

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, name: str) -> str:
        try:
            zone_named(name)
        except BadInput as problem:
            raise ValueError(str(problem)) from None
        return name

    @field_validator("redis_url")
    @classmethod
    def _redis(cls, url: str) -> str:
        if url and not url.startswith(("redis://", "rediss://", "unix://", "valkey://", "valkeys://")):
            raise ValueError("must start with redis://, rediss:// or unix://")
        return url.replace("valkey", "redis", 1) if url.startswith("valkey") else url

    @property
    def store_url(self) -> str:
        """Where the store lives, as SQLAlchemy writes it."""
        return address_of(self.database_url) or f"{SQLITE}{(self.data / 'store.db').absolute()}"


def read_settings(**given: Any) -> Settings:
    """The settings, those given here before the environment; raises BadInput naming the variable to mend."""
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as problem:
        first = problem.errors(include_input=False, include_url=False)[0]
        name = "TRAILMATE_" + str(first["loc"][0]).upper()
        reason = first["msg"].removeprefix("Value error, ")
        raise BadInput(f"setting {name}: {reason[0].lower()}{reason[1:]}; mend it and start again") from None


def tenant_named(name: str) -> str:
    """The name itself where it can name a tenant; raises BadInput."""
    if not _TENANT_FORM.fullmatch(name):
        raise BadInput("a tenant is named with 1 to 64 of a-z, 0-9, - and _; choose such a name")
    return name
