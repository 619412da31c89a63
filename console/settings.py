"""Settings of the migration console, all from the environment (see .env.example).

Secrets of the two APIs are not read here: the gateways take them from the environment when they
connect, so that no settings page, traceback or shell shows them.
"""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

from console import headers, unfold
from console.environment import positive_int, strict_bool, whole_number

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
# Where .env is, and where workers of our own are started: beside manage.py, or, of an installed package, in the folder
# that the console is started in.
WORK_DIR = BASE_DIR if (BASE_DIR / "manage.py").is_file() else Path.cwd()
_env_file = os.environ.get("CONSOLE_ENV_FILE", str(WORK_DIR / ".env"))
if _env_file and Path(_env_file).is_file():
    env.read_env(_env_file)

# Production unless said otherwise: a forgotten variable must not open a debug server.
DEBUG = strict_bool(env, "DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"] if DEBUG else [])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# Behind TLS in production; a demo or test on plain http switches it off by name.
HTTPS_ONLY = strict_bool(env, "HTTPS_ONLY", default=not DEBUG)
SECURE_SSL_REDIRECT = HTTPS_ONLY
SESSION_COOKIE_SECURE = HTTPS_ONLY
CSRF_COOKIE_SECURE = HTTPS_ONLY
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS_ONLY else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS_ONLY
SECURE_HSTS_PRELOAD = HTTPS_ONLY
if strict_bool(env, "TRUST_X_FORWARDED_PROTO", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = headers.CONTENT_SECURITY_POLICY
SESSION_COOKIE_HTTPONLY = True
# A working day, from signing in on and whatever is done in it.
SESSION_COOKIE_AGE = 8 * 3600
# Browsers take such cookies from this very host over TLS alone, so no neighbouring host can plant one.
SESSION_COOKIE_NAME = "__Host-sessionid" if HTTPS_ONLY else "sessionid"
CSRF_FAILURE_VIEW = "migration_app.admin.accounts.refused_forms.csrf_failure"
CSRF_COOKIE_NAME = "__Host-csrftoken" if HTTPS_ONLY else "csrftoken"
# In the session and in no cookie of its own.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.forms",
    "axes",
    "csp",
    "django_rq",
    "console",
    "migration_app",
]

MIDDLEWARE = [
    "csp.middleware.CSPMiddleware",
    "console.headers.PermissionsPolicyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "migration_app.admin.accounts.session_end.session_end_middleware",
    # Nothing before it reads a body: not even the check of the CSRF token, which comes with the view.
    "migration_app.admin.base.body_limit.BodyLimitMiddleware",
    "migration_app.admin.base.actors.acting_middleware",
    "migration_app.moments.zone_middleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "console.urls"
WSGI_APPLICATION = "console.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        # In a checkout they stand at the top; installed, inside this package (setup.py).
        "DIRS": [
            BASE_DIR / ("console/templates" if (BASE_DIR / "console/templates").is_dir() else "templates")
        ],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["migration_app.templatetags.moments"],
            "context_processors": [
                "django.template.context_processors.debug",
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {"default": env.db_url("DATABASE_URL")}
if DATABASES["default"]["ENGINE"] != "django.db.backends.postgresql":
    raise ImproperlyConfigured(
        "DATABASE_URL must name a PostgreSQL database: postgresql://user:password@host/name"
    )
# Without these a network that is cut without a word holds a connection for hours. What DATABASE_URL says wins.
DATABASES["default"]["OPTIONS"] = {
    "connect_timeout": 10,
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,  # milliseconds
    **DATABASES["default"].get("OPTIONS", {}),
}
# Longest wait of a worker for the answer to one statement: a server that is frozen keeps its connections alive.
DATABASE_ANSWER_SECONDS = positive_int(env, "DATABASE_ANSWER_SECONDS", default=900)
DATABASES["default"]["CONN_MAX_AGE"] = 60
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# RQ carries ids only. A started job is considered dead two minutes after its worker's last heartbeat,
# and whatever RQ forgets is found again in the database (migration_app.jobs).
# On-demand batches wait in "urgent": workers empty it first.
# JSON: what unpickles a job would run whatever somebody with access to Redis wrote there.
RQ_QUEUES = {
    name: {"URL": env.str("REDIS_URL"), "DEFAULT_TIMEOUT": 3600, "SERIALIZER": "json"}
    for name in ("urgent", "default")
}
RQ = {"WORKER_CLASS": "migration_app.worker.ConsoleWorker", "JOB_CLASS": "migration_app.worker.ConsoleJob"}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}", "OPTIONS": options}
    for name, options in (
        ("UserAttributeSimilarityValidator", {}),
        ("MinimumLengthValidator", {"min_length": 12}),
        ("CommonPasswordValidator", {}),
        ("NumericPasswordValidator", {}),
    )
]

# Signing in. The first backend refuses clients that failed too often, before the second one checks a password.
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "migration_app.admin.accounts.sign_in.PasswordBackend",
]
SIGN_IN_FAILURES = positive_int(env, "SIGN_IN_FAILURES", default=5)
SIGN_IN_LOCK_MINUTES = positive_int(env, "SIGN_IN_LOCK_MINUTES", default=15)
# How many proxies of ours append to X-Forwarded-For; 0: the connection alone says where a request comes from.
TRUSTED_PROXIES = whole_number(env, "TRUSTED_PROXIES", default=0)
AXES_HANDLER = "migration_app.admin.accounts.sign_in.SignInHandler"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"], "ip_address", "username"]  # as the handler counts them
AXES_FAILURE_LIMIT = SIGN_IN_FAILURES
AXES_COOLOFF_TIME = dt.timedelta(minutes=SIGN_IN_LOCK_MINUTES)
# Trying on while locked out must not make it longer, or anybody could lock a person out forever.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_CLIENT_IP_CALLABLE = "console.client_address.lockout_address"
AXES_CLIENT_STR_CALLABLE = "migration_app.admin.accounts.sign_in.client_text"
AXES_LOCKOUT_CALLABLE = "migration_app.admin.accounts.sign_in.locked_out"
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = env.str("STATIC_ROOT", default="") or None
# Served from the packages themselves: a console for a few people needs no collectstatic step.
WHITENOISE_USE_FINDERS = True

# An import is uploaded in one request and kept in the database until a worker has read it.
UPLOAD_MAX_MB = positive_int(env, "UPLOAD_MAX_MB", default=512)
# Largest line or object of an archive; decoded it takes ten to twenty times as much memory.
IMPORT_MAX_DOCUMENT_MB = positive_int(env, "IMPORT_MAX_DOCUMENT_MB", default=64)
# An import with so many rejected lines is ended.
IMPORT_MAX_REJECTS = positive_int(env, "IMPORT_MAX_REJECTS", default=100_000)
# So many workers may begin an upload before it fails, if each of them ends before it is read.
IMPORT_MAX_ATTEMPTS = positive_int(env, "IMPORT_MAX_ATTEMPTS", default=3)
# A prompt's instructions, 128 tools and schemas come in one form.
DATA_UPLOAD_MAX_MEMORY_SIZE = 10_485_760
# Edited prompts come back by the directory; how much a request may weigh says migration_app.admin.base.body_limit.
DATA_UPLOAD_MAX_NUMBER_FILES = 1_000
FILE_UPLOAD_MAX_MEMORY_SIZE = 2_621_440

LEASE_SECONDS = positive_int(env, "LEASE_SECONDS", default=120)
MAX_ATTEMPTS = positive_int(env, "MAX_ATTEMPTS", default=8)
HTTP_TIMEOUT_SECONDS = positive_int(env, "HTTP_TIMEOUT_SECONDS", default=60)
# An API's answer is read up to here, uncompressed: one without end must not fill a worker's memory.
ANSWER_MAX_MB = positive_int(env, "ANSWER_MAX_MB", default=64)

# A list that lacks what the target has acknowledged is read again for so long.
READ_PATIENCE_SECONDS = whole_number(env, "READ_PATIENCE_SECONDS", default=30)
# An append without an answer to a conversation that is in the mapping may still arrive for so long.
DOUBT_WAIT_SECONDS = whole_number(env, "DOUBT_WAIT_SECONDS", default=900)
# A conversation that was given up in doubt is deleted after so long.
DOUBT_DELETE_AFTER_SECONDS = whole_number(env, "DOUBT_DELETE_AFTER_SECONDS", default=3600)
# So often a scratch conversation shows whether the target refuses a repeated append; 0: never.
TARGET_PROBE_HOURS = whole_number(env, "TARGET_PROBE_HOURS", default=24)

# Limits of the target, shared by all workers through Redis; 0: none is set, only what the target itself says counts.
TARGET_REQUESTS_PER_MINUTE = whole_number(env, "TARGET_REQUESTS_PER_MINUTE", default=0)
TARGET_ITEMS_PER_MINUTE = whole_number(env, "TARGET_ITEMS_PER_MINUTE", default=0)
# So many threads in a row that fail alike (wrong key, quota, target down) pause their batch.
BREAKER_FAILURES = positive_int(env, "BREAKER_FAILURES", default=5)
# Rolling back more threads than this within so many hours, over all batches of one person, needs a second person.
APPROVAL_ABOVE_THREADS = positive_int(env, "APPROVAL_ABOVE_THREADS", default=100)
APPROVAL_WINDOW_HOURS = positive_int(env, "APPROVAL_WINDOW_HOURS", default=24)
# A prompt version is approved and activated by another person than who wrote or submitted it.
PROMPT_APPROVAL_BY_OTHERS = strict_bool(env, "PROMPT_APPROVAL_BY_OTHERS", default=True)
# So often a sample of the estate is reconciled with the target by itself; 0: never.
RECONCILE_EVERY_HOURS = whole_number(env, "RECONCILE_EVERY_HOURS", default=0)

USER_REF_METADATA_KEY = env.str("USER_REF_METADATA_KEY", default="user_id")

# Where the source is. Its key is read by the gateway alone.
SOURCE_BASE_URL = env.str("SOURCE_BASE_URL", default="")
SOURCE_API_VERSION = env.str("SOURCE_API_VERSION", default="")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.str("LOG_LEVEL", default="INFO").upper()},
    # The SDK and its transports log bodies and headers at DEBUG: message content is never logged.
    "loggers": {name: {"level": "WARNING"} for name in ("openai", "httpx2", "httpcore2", "aiohttp")},
}

# The skin of the admin: colours, navigation, dashboard.
UNFOLD = unfold.UNFOLD
