"""The triggers with which the database itself refuses to change or delete what may only be added to."""

_WORDS = "what stands in the audit is never changed"
_REFUSING = "trailmate_refuse"


def triggers(dialect: str, table: str, *, erasable: bool) -> list[str]:
    """The statements that guard a table: nothing in it is changed, and only what is `erasable` may be deleted.

    The table has the key (tenant, seq).
    """
    if dialect == "postgresql":
        acts = "UPDATE OR TRUNCATE" if erasable else "UPDATE OR DELETE OR TRUNCATE"
        return [
            f"CREATE OR REPLACE FUNCTION {_REFUSING}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{_WORDS}'; END $$",
            f"CREATE TRIGGER {table}_append_only BEFORE {acts} ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {_REFUSING}()",
        ]
    # INSERT OR REPLACE deletes without asking the trigger of DELETE.
    stands = f"EXISTS (SELECT 1 FROM {table} WHERE tenant = NEW.tenant AND seq = NEW.seq)"  # noqa: S608
    guarded = {"update": f"BEFORE UPDATE ON {table}", "replace": f"BEFORE INSERT ON {table} WHEN {stands}"}
    if not erasable:
        guarded["delete"] = f"BEFORE DELETE ON {table}"
    return [
        f"CREATE TRIGGER {table}_no_{name} {when} BEGIN SELECT RAISE(ABORT, '{_WORDS}'); END"
        for name, when in guarded.items()
    ]


def untriggers(dialect: str) -> list[str]:
    """What is to be taken away after the tables are: their triggers go with them."""
    return [f"DROP FUNCTION IF EXISTS {_REFUSING}()"] if dialect == "postgresql" else []
