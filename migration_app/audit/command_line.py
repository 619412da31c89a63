"""Who acts at a shell: the operating system's user, whom no variable of the environment can change."""

from __future__ import annotations

import os
import pwd

from migration_app.contracts import COMMAND_LINE, Actor


def command_actor() -> Actor:
    """Name the user of this process by its uid, marked as the command line: never a console user.

    ``getpass.getuser`` would trust LOGNAME and USER, which anybody can set.
    """
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:  # a container's user may have no name
        name = f"uid {uid}"
    return Actor(name=f"{name}{COMMAND_LINE}")
