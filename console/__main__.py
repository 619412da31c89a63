"""Django's command line for the console: as `manage.py` in a checkout, `migration-console` where it is installed, and
`python -m console` in either.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

from console.demo import enter_demo


def main() -> None:
    """Run the command named on the command line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
    program, *arguments = sys.argv
    if arguments[:1] == ["demo"]:
        enter_demo(arguments[1:])
    try:
        _ = settings.INSTALLED_APPS
    except ImproperlyConfigured as error:
        # Django would continue without settings and fail later, far from the cause.
        sys.exit(f"{error} (.env.example lists every setting; `make demo` needs none)")
    # By the file's name Django would call it "python -m django" in its help.
    called = "python -m console" if Path(program).name == "__main__.py" else program
    execute_from_command_line([called, *arguments])


if __name__ == "__main__":
    main()
