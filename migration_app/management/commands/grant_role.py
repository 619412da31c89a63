"""``manage.py grant_role``: give a database role what the application needs and no more."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from migration_app.audit.database_role import RoleRefusedError, database_role_grant


class Command(BaseCommand):
    """Set up the role that the console's processes connect as, where it is not the tables' owner."""

    help = (
        "Give a database role what the application needs and no more. Run it as the tables' owner after each "
        "migrate; the console's processes then connect as the role."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the role's name."""
        parser.add_argument("role", help="an existing role that owns nothing")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Grant and revoke."""
        try:
            database_role_grant(options["role"])
        except RoleRefusedError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"The role {options['role']} may do what the application needs, and no more.")
