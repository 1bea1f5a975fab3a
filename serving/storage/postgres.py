"""PostgreSQL: a pool of connections, none of which waits for ever."""

from typing import Any

from sqlalchemy import create_engine, event
from sqlalchemy.exc import DisconnectionError
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
    event.listen(plain, "checkout", _require_open)
    return AwaitedEngine(plain)


def _require_open(connection: Any, _record: Any, _lent: Any) -> None:
    """Have the pool make another one where the driver knows that the server has gone."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError
