"""Django settings. Together with the rest of ``config`` this is the only reader of the environment."""

import socket
from pathlib import Path
from typing import Any

import django_stubs_ext
from csp.constants import NONCE, NONE, SELF

from config import embedded, environment

BASE_DIR = Path(__file__).resolve().parent.parent
VERSION = "0.1.0"

# --- where this runs ------------------------------------------------------------------------------
LAUREL_ENV = environment.choice("LAUREL_ENV", ("development", "production", "test"), "development")
PRODUCTION = LAUREL_ENV == "production"
DEBUG = environment.boolean("LAUREL_DEBUG", default=False)
if DEBUG and PRODUCTION:
    raise environment.BadSetting(
        "LAUREL_DEBUG", "1", "error pages show settings: never with LAUREL_ENV=production."
    )
LAUREL_PROCESS = environment.choice("LAUREL_PROCESS", ("web", "worker", "command"), "command")
LAUREL_DATA_DIR = environment.folder("LAUREL_DATA_DIR", BASE_DIR / ".laurel")
LAUREL_HOST = environment.text("LAUREL_HOST", "127.0.0.1")
LAUREL_PORT = environment.integer("LAUREL_PORT", 8000, low=1, high=65535)
LAUREL_PUBLIC_URL = environment.web_address("LAUREL_PUBLIC_URL")
embedded.make_data_folder(LAUREL_DATA_DIR)

LAUREL_SNAPSHOT_DIR = LAUREL_DATA_DIR / "snapshots"
LAUREL_RUN_DIR = LAUREL_DATA_DIR / "runs"
LAUREL_CACHE_DIR = LAUREL_DATA_DIR / "cache"
LAUREL_EXPORT_DIR = LAUREL_DATA_DIR / "exports"
LAUREL_UPLOAD_DIR = LAUREL_DATA_DIR / "uploads"
LAUREL_UPLOAD_BYTES = environment.integer("LAUREL_UPLOAD_MB", 256, low=1, high=65536) * 2**20

LAUREL_SELECTION_DEVICE = environment.text("LAUREL_SELECTION_DEVICE", "cpu")

LAUREL_API_RESPONSES_PER_MINUTE = environment.integer(
    "LAUREL_API_RESPONSES_PER_MINUTE", 6_000, low=1_000, high=10_000_000
)

# --- secrets and hosts ----------------------------------------------------------------------------
SECRET_KEY = environment.secret_key(
    "LAUREL_SECRET_KEY", keep_in=LAUREL_DATA_DIR / "secret_key", strict=PRODUCTION
)
ALLOWED_HOSTS = environment.listing("LAUREL_ALLOWED_HOSTS")
if PRODUCTION and not ALLOWED_HOSTS:
    raise environment.BadSetting("LAUREL_ALLOWED_HOSTS", None, "name the hosts people use, comma-separated.")
if not ALLOWED_HOSTS:
    ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", LAUREL_HOST]
    if LAUREL_HOST in ("0.0.0.0", "::"):  # noqa: S104  listening everywhere was asked for: answer to this machine's names
        ALLOWED_HOSTS += [socket.gethostname(), socket.getfqdn()]

HTTPS = environment.boolean("LAUREL_HTTPS", default=PRODUCTION)
CSRF_TRUSTED_ORIGINS = environment.listing("LAUREL_TRUSTED_ORIGINS")
if environment.boolean("LAUREL_BEHIND_PROXY", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# --- applications ---------------------------------------------------------------------------------
INSTALLED_APPS = [
    "whitenoise.runserver_nostatic",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",  # its translations
    "django_htmx",
    "csp",
    "config",
    "accounts",
    "annotation",
    "rewardmodel",
    "activelearning",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
            ],
        },
    },
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
INSTALLED_APPS.insert(1, "django.forms")  # TemplatesSetting looks for the form templates among the apps

# --- people ---------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
LOGIN_URL = "accounts:sign_in"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

# --- what leaves this server ----------------------------------------------------------------------
LAUREL_WEBHOOK_ALLOW = environment.hosts_and_networks("LAUREL_WEBHOOK_ALLOW")
_mail = environment.mail("LAUREL_EMAIL_URL")
LAUREL_SENDS_MAIL = _mail is not None
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if _mail else 'dummy'}.EmailBackend"
globals().update(_mail or {})
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = environment.text("LAUREL_EMAIL_FROM", f"Laurel <laurel@{socket.gethostname()}>")

# --- database -------------------------------------------------------------------------------------
# A page that waits longer than this has gone wrong; commands and workers may run long statements
# but never wait for ever on a lock.
_TIMEOUTS = {
    "web": "-c statement_timeout=60s -c lock_timeout=10s -c idle_in_transaction_session_timeout=60s",
    "worker": "-c lock_timeout=60s",
    "command": "-c lock_timeout=60s",
}
# Pages ask the same few small questions all day: no need to plan them anew each time. What
# workers and commands ask is large and seldom, and better planned for its own values.
_PREPARED = LAUREL_PROCESS == "web" and environment.boolean("LAUREL_PREPARED_STATEMENTS", default=True)
_given = environment.database("DATABASE_URL")
LAUREL_EMBEDDED = _given is None
_database = _given or embedded.connection_settings(LAUREL_DATA_DIR)
DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        **_database,
        "OPTIONS": {
            "connect_timeout": "10",
            "options": _TIMEOUTS[LAUREL_PROCESS],
            "server_side_binding": True,
            "prepare_threshold": 5 if _PREPARED else None,
            **_database["OPTIONS"],
        },
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "TEST": {"NAME": "test_laurel"},
    },
}

# --- background work ------------------------------------------------------------------------------
# Unset, the broker is PGMQ on the same PostgreSQL. An idle worker waits inside a long poll, which looks
# for work every 200 ms. What a killed worker held returns after the visibility timeout.
LAUREL_BROKER_IS_DATABASE = not environment.text("CELERY_BROKER_URL")
CELERY_BROKER_URL = environment.text("CELERY_BROKER_URL", "pgmq://localhost")
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {}
_VISIBILITY_SECONDS = environment.integer("LAUREL_VISIBILITY_SECONDS", 600, low=10, high=7 * 86400)
if LAUREL_BROKER_IS_DATABASE:
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "conn_string": embedded.conninfo(_database),
        "init_extension": False,
        "visibility_timeout": _VISIBILITY_SECONDS,
        "wait_time_seconds": 1,
        "poll_interval_ms": 200,
        "polling_interval": 0.2,
        "pool_size": 4,
        "queue_name_prefix": "laurel_",
    }
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_POOL_LIMIT = 4
CELERY_TASK_DEFAULT_QUEUE = "light"
CELERY_TASK_CREATE_MISSING_QUEUES = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_ACKS_ON_FAILURE_OR_TIMEOUT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
CELERY_ENABLE_UTC = True
CELERY_BEAT_SCHEDULE_FILENAME = str(LAUREL_DATA_DIR / "run" / "scheduler")
CELERY_BEAT_MAX_LOOP_INTERVAL = 5
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "training runs that nobody works on": {
        "task": "rewardmodel.reconcile",
        "schedule": 15.0,
        "options": {"expires": 15.0},
    },
    "the loop": {
        "task": "activelearning.turn_loops",
        "schedule": 10.0,
        "options": {"expires": 10.0},
    },
    "queues that run low": {
        "task": "activelearning.refill_queues",
        "schedule": 20.0,
        "options": {"expires": 20.0},
    },
    "what somebody should be told": {
        "task": "annotation.check_alerts",
        "schedule": 60.0,
        "options": {"expires": 60.0},
    },
    "reports on quality": {
        "task": "annotation.report_all",
        "schedule": 15.0,
        "options": {"expires": 15.0},
    },
    "what they are told by mail and webhook": {
        "task": "annotation.deliver_alerts",
        "schedule": 60.0,
        "options": {"expires": 60.0},
    },
    "work that people left": {
        "task": "annotation.expire_leases",
        "schedule": 60.0,
        "options": {"expires": 60.0},
    },
    "where models and people are at odds": {
        "task": "rewardmodel.weigh",
        "schedule": 300.0,
        "options": {"expires": 300.0, "queue": "training"},
    },
    "finished items that are looked at again": {
        "task": "annotation.draw_spot_checks",
        "schedule": 300.0,
        "options": {"expires": 300.0},
    },
}

# --- pages ----------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch"), ("ar", "العربية")]
LANGUAGE_COOKIE_AGE = 365 * 86400  # the language somebody chose; without it the browser's counts
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SECURE = HTTPS
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = LAUREL_DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
_HASHED = LAUREL_ENV != "test" and not DEBUG
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "config.static.HashedStorage"
        if _HASHED
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = not _HASHED
WHITENOISE_AUTOREFRESH = not _HASHED
WHITENOISE_MANIFEST_STRICT = False

DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 2**20  # of a form without its files
FILE_UPLOAD_MAX_MEMORY_SIZE = 2**20  # larger files stream to disk
FILE_UPLOAD_TEMP_DIR = LAUREL_UPLOAD_DIR
FILE_UPLOAD_PERMISSIONS = 0o600

# --- browser security -----------------------------------------------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "object-src": [NONE],
    },
}
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = HTTPS
SESSION_COOKIE_AGE = 14 * 86400
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SECURE = HTTPS
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 365 * 86400 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
X_FRAME_OPTIONS = "DENY"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

# --- log ------------------------------------------------------------------------------------------
LAUREL_LOG_LEVEL = environment.choice(
    "LAUREL_LOG_LEVEL",
    ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
    "WARNING" if LAUREL_PROCESS == "command" else "INFO",
)
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {
        "handlers": ["console"],
        "level": LAUREL_LOG_LEVEL if LAUREL_PROCESS != "command" else "WARNING",
    },
    "loggers": {
        "django": {"handlers": [], "propagate": True},
        "django.server": {"handlers": [], "propagate": True},
        # a line for each message taken would bury what matters
        **{name: {"level": "WARNING"} for name in ("celery", "kombu", "pgmq", "psycopg")},
        "py.warnings": {"level": "ERROR"},
        "psycopg.pool": {"level": "ERROR"},  # says every failed try while the database restarts
    },
}

django_stubs_ext.monkeypatch()
