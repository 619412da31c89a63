#!/usr/bin/env python
"""Django's command line for the migration console."""

from __future__ import annotations

import os
import sys

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line


def main() -> None:
    """Run the command named on the command line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
    if sys.argv[1:2] == ["demo"]:
        from console.demo import enter_demo  # noqa: PLC0415 - it needs packages that a production server lacks

        enter_demo(sys.argv[2:])
    try:
        _ = settings.INSTALLED_APPS
    except ImproperlyConfigured as error:
        # Django would go on without settings and fail later, far from the cause.
        sys.exit(f"{error} (.env.example lists every setting; `make demo` needs none)")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
