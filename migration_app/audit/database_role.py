"""A role for the application that owns nothing: it works with rows and can't remove their protection.

The owner of the tables runs ``migrate`` and this; the console's processes connect as the role. PostgreSQL then
refuses them UPDATE, DELETE and TRUNCATE where rows are kept as they were written (``models.guards``), and TRIGGER,
ALTER, DROP everywhere.
"""

from __future__ import annotations

from django.db import connection, transaction
from psycopg import sql

from migration_app.models.guards import GUARDED

_DATABASE = (
    "GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {role}",
    "GRANT USAGE ON SCHEMA {schema} TO {role}",
    "REVOKE CREATE ON SCHEMA {schema} FROM {role}, PUBLIC",
    "REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {role}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}",
    "REVOKE INSERT, UPDATE, DELETE ON {migrations} FROM {role}",
    "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {role}",
    "REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {schema} FROM PUBLIC",
)


class RoleRefusedError(Exception):
    """The role can't be the application's; the text says why."""


def database_role_grant(role: str) -> None:
    """Give an existing role what the application needs and no more. To be run again after each ``migrate``.

    RoleRefusedError for a role that is not there, that owns tables, or that no grant can restrict.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolsuper, EXISTS (SELECT FROM pg_class WHERE relowner = r.oid AND relkind IN ('r', 'S', 'v')),"
            " EXISTS (SELECT FROM pg_auth_members WHERE member = r.oid), rolcreaterole OR rolbypassrls"
            " OR rolreplication"
            " FROM pg_roles AS r WHERE rolname = %s",
            [role],
        )
        found = cursor.fetchone()
        if found is None:
            raise RoleRefusedError(
                f"There is no role {role}. Create it first: CREATE ROLE {role} LOGIN PASSWORD …"
            )
        for refused, why in zip(
            found,
            ("is a superuser", "owns tables", "is a member of other roles", "may make roles or replicate"),
            strict=True,
        ):
            if refused:
                raise RoleRefusedError(f"The role {role} {why}: no grant can restrict it. Use another one.")
        cursor.execute("SELECT current_database(), current_schema()")
        database, schema = cursor.fetchone() or ("", "")
        names = {
            "role": sql.Identifier(role),
            "database": sql.Identifier(database),
            "schema": sql.Identifier(schema),
            "migrations": sql.Identifier("django_migrations"),
        }
        for statement in _DATABASE:
            cursor.execute(sql.SQL(statement).format(**names))
        for model, changing in GUARDED.items():
            table = sql.Identifier(model._meta.db_table)  # noqa: SLF001 - Django's documented Model._meta
            cursor.execute(sql.SQL("REVOKE UPDATE, DELETE ON {} FROM {}").format(table, names["role"]))
            if changing:
                columns = sql.SQL(", ").join(map(sql.Identifier, changing))
                cursor.execute(sql.SQL("GRANT UPDATE ({}) ON {} TO {}").format(columns, table, names["role"]))
