"""A look at the servers behind the store, for whoever asks whether they are well."""

from serving.auth import KeyRing
from serving.errors import Unauthenticated
from serving.storage import tables
from serving.storage.database import connected
from serving.storage.keys import SqlKeys
from serving.storage.migrating import revision_of, revisions

# Valkey tells the version of the Redis it stands for.
REDIS_FROM = (7, 2)


async def revision_at(url: str) -> tuple[str | None, str, bool]:
    """The revision of the store at this address, None where it is empty; the one this Trailmate reads; a way there."""
    async with connected(url) as database:
        found = await revision_of(database)
    return found, tables.HEAD, found is None or found in revisions()


async def opens(url: str, key: str) -> bool:
    """Whether this key opens anything in the store at this address."""
    async with connected(url) as database:
        if await revision_of(database) is None:
            return False
        try:
            await KeyRing(SqlKeys(database), remember_s=0).verified(f"Bearer {key}")
        except Unauthenticated:
            return False
        return True


async def redis_at(url: str) -> tuple[str, bool, str]:
    """Name and version of the server at this address, whether it is recent enough, and what it does when it is full.

    Raises OSError where none answers.
    """
    from redis.asyncio import Redis
    from redis.exceptions import AuthenticationError, RedisError

    client = Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1, driver_info=None, protocol=2)
    try:
        told = await client.info()
    except AuthenticationError:
        raise OSError("it wants another account or password") from None
    except RedisError as problem:
        raise OSError(type(problem).__name__) from None
    finally:
        await client.aclose()
    version = str(told.get("redis_version", "0"))
    name = f"Valkey {told['valkey_version']}" if "valkey_version" in told else f"Redis {version}"
    recent = tuple(int(part) for part in version.split(".")[:2]) >= REDIS_FROM
    return name, recent, str(told.get("maxmemory_policy", ""))
