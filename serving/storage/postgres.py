"""PostgreSQL: a pool of connections, none of which waits for ever."""

from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from serving.storage import tables
from serving.storage.awaited import AwaitedEngine

# `synchronous_commit`: an answered event is on disk, whatever the server has as its default. All statements look up by
# keys: to plan them anew for each value, or to compile them to machine code, takes longer than they run.
_SESSION = {
    "application_name": "trailmate",
    "synchronous_commit": "on",
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
    "timezone": "UTC",
}


def postgres_engine(url: str, *, patience_s: float) -> AwaitedEngine:
    """The pool; a statement that takes longer than `patience_s` seconds is given up."""
    tables.interactions_by_class.dialect_options["postgresql"]["where"] = tables.in_a_class
    given: dict[str, Any] = {"timeout": patience_s, "command_timeout": patience_s, "server_settings": _SESSION}
    plain = create_engine(
        url,
        hide_parameters=True,
        poolclass=AsyncAdaptedQueuePool,
        pool_size=8,
        max_overflow=8,
        pool_timeout=patience_s,
        # The line used last has its statements ready.
        pool_use_lifo=True,
        connect_args=given,
    )
    return AwaitedEngine(plain)
