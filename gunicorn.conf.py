"""Found by gunicorn where no --config is given: the same settings also for a plain `gunicorn console.wsgi`."""

from console.gunicorn_conf import *  # noqa: F403 - gunicorn reads this module's names
