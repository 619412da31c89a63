"""The application's configuration."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate

from migration_app.silence import connections_watch


class MigrationAppConfig(AppConfig):
    """Registers the application and keeps the three operator groups in step with the permissions."""

    name = "migration_app"
    verbose_name = "Migration"

    def ready(self) -> None:
        """Watch accounts and database connections; fill the groups after each migrate: permissions exist only then."""
        from migration_app import checks  # noqa: F401, PLC0415 - registers itself
        from migration_app.audit.accounts import accounts_watch  # noqa: PLC0415 - needs loaded models
        from migration_app.audit.groups import groups_update  # noqa: PLC0415 - needs loaded models

        connections_watch()
        accounts_watch()
        post_migrate.connect(groups_update, sender=self, dispatch_uid="migration_app.groups")
