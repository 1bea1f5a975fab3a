"""An account that may not write is told so before anybody counts on it."""

import asyncio
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from engine.domain.errors import BadInput
from serving.storage.database import connected
from serving.storage.looking import revision_at
from serving.storage.opening import open_store
from trailmate.surroundings import FAIL, database


def asked(url: str, *statements: str) -> None:
    async def run() -> None:
        async with connected(url) as there, there.writing() as connection:
            for statement in statements:
                await connection.exec_driver_sql(statement)

    asyncio.run(run())


async def opened(url: str) -> str:
    async with open_store(url) as store:
        return store.store_id


@pytest.fixture
def stranger(postgres_url: str) -> Iterator[str]:
    """The same database, asked by an account that was given nothing."""
    address = urlsplit(postgres_url)
    name = f"stranger_{address.path[-8:].strip('/').replace('-', '_')}"
    asked(postgres_url, f"CREATE ROLE {name} LOGIN", "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    yield address._replace(netloc=f"{name}@{address.netloc.rpartition('@')[2]}").geturl()
    asked(postgres_url, f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def refused(url: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        asyncio.run(opened(url))
    with pytest.raises(BadInput, match=says):
        asyncio.run(revision_at(url))
    found = database(url)
    assert found.state == FAIL
    assert found.next_step


def test_an_account_that_may_make_or_write_no_tables_is_told_what_to_grant(postgres_url: str, stranger: str) -> None:
    refused(stranger, "may make no tables; make it the owner of the database")
    asyncio.run(opened(postgres_url))
    refused(stranger, "may not read and write the table about")
    name = urlsplit(stranger).username
    asked(postgres_url, f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}")
    refused(stranger, "may not read and write the table about")
    asked(postgres_url, f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {name}")
    assert asyncio.run(opened(stranger)) == asyncio.run(opened(postgres_url))


def test_a_database_that_is_only_read_is_refused(postgres_url: str, stranger: str) -> None:
    asyncio.run(opened(postgres_url))
    name = urlsplit(stranger).username
    asked(
        postgres_url,
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {name}",
        f"ALTER ROLE {name} SET default_transaction_read_only = on",
    )
    refused(stranger, "is only read")
