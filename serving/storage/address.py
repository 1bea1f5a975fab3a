"""Which database an address names, and the same address in SQLAlchemy's words."""

SQLITE = "sqlite+aiosqlite:///"
POSTGRES = "postgresql+asyncpg://"
_POSTGRES_TOO = ("postgresql://", "postgres://")


def address_of(url: str) -> str | None:
    """The address as SQLAlchemy wants it; None where it names no database that Trailmate can use."""
    for start in _POSTGRES_TOO:
        if url.startswith(start):
            # What libpq calls sslmode, asyncpg calls ssl.
            return POSTGRES + url.removeprefix(start).replace("sslmode=", "ssl=")
    if url.startswith("sqlite:///"):
        return SQLITE + url.removeprefix("sqlite:///")
    return url if url.startswith((SQLITE, POSTGRES)) else None
