"""The one settings file. Everything that differs between a laptop and a city is an environment
variable, read here and nowhere else; each is documented in docs/settings.md (a test compares).
A secret may be given as NAME_FILE, a path to a file that holds it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from csp.constants import NONCE, NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static
from django.urls import reverse_lazy
from environ.fileaware_mapping import FileAwareMapping

from deploy.logs import configure as configure_logs
from figurine.engines.workshop import Workshop


class _Stripped(FileAwareMapping):
    """An editor ends a file with a newline, and in a key it is an error that others make."""

    def __getitem__(self, key: str) -> str:
        return str(super().__getitem__(key)).strip()


class _Env(environ.Env):
    ENVIRON = _Stripped()


env = _Env()

FAL_WEBHOOK_PATH = "/webhooks/fal"

BASE_DIR = Path(__file__).resolve().parent.parent

# --- where things are -------------------------------------------------------------------------
VAR = Path(env.str("DIORAMA_VAR", default=str(BASE_DIR / "var"))).resolve()
VAR.mkdir(mode=0o700, parents=True, exist_ok=True)
PUBLIC_URL = env.str("DIORAMA_PUBLIC_URL", default="http://localhost:8000").rstrip("/")

# --- secrets ----------------------------------------------------------------------------------
SECRET_KEY = env.str("DIORAMA_SECRET_KEY", default="")
_made = VAR / "secret_key"
if not SECRET_KEY and _made.exists():  # by `make run`: its commands need not be told
    SECRET_KEY = _made.read_text().strip()
DEBUG = env.bool("DIORAMA_DEBUG", default=False)
if not SECRET_KEY:
    if not DEBUG:
        raise ImproperlyConfigured(
            "Set DIORAMA_SECRET_KEY or DIORAMA_SECRET_KEY_FILE (make run does it for you)."
        )
    SECRET_KEY = "only-for-debugging-on-this-machine"  # noqa: S105 - DEBUG alone gets here

# --- who may call -----------------------------------------------------------------------------
_public = urlsplit(PUBLIC_URL)
ALLOWED_HOSTS = env.list(
    "DIORAMA_ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]", _public.hostname or ""]
)
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
USE_X_FORWARDED_HOST = env.bool("DIORAMA_BEHIND_PROXY", default=False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if USE_X_FORWARDED_HOST else None
IS_HTTPS = _public.scheme == "https"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 12 * 3600  # a shift, from what was last done at the desk
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# HSTS and the redirect to https are the proxy's to give: on a self-made certificate HSTS would
# take away the browser's "go on".
SILENCED_SYSTEM_CHECKS = ["security.W004", "security.W008"]

# --- applications -----------------------------------------------------------------------------
INSTALLED_APPS = [
    "daphne",
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "csp",
    "campaign",
    "billboard",
    "deploy",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "deploy.policy.PagePolicy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "deploy.urls"
ASGI_APPLICATION = "deploy.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = reverse_lazy("admin:login")

# --- the record -------------------------------------------------------------------------------
DATABASES: dict[str, dict[str, Any]] = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": VAR / "diorama.sqlite3"}
}
if env.str("DIORAMA_DATABASE_URL", default=""):
    DATABASES["default"] = env.db_url("DIORAMA_DATABASE_URL")
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # Writers queue at BEGIN instead of failing in the middle; readers never wait (WAL). FULL: with
    # NORMAL a power cut may roll back what was told as done, a recall or an acceptance.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;",
    }
else:
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    # A host that vanishes is given up in seconds, not in the kernel's quarter of an hour. The
    # address may say otherwise. Source: postgresql.org/docs/current/libpq-connect.html
    DATABASES["default"]["OPTIONS"] = {
        "connect_timeout": 5,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 15_000,
        **DATABASES["default"].get("OPTIONS", {}),
        # psycopg_pool tries less and less often, by its own account for five minutes: after an
        # outage a process would stay cut off as long again. Source: psycopg.org/psycopg3, pool
        "pool": {"min_size": 0, "max_size": 8, "timeout": 5, "reconnect_timeout": 1},
    }

# --- the doorbells ----------------------------------------------------------------------------
BROKER_URL = env.str("DIORAMA_BROKER_URL", default=f"redis+socket://{VAR / 'run' / 'valkey.sock'}")
CHANNEL_URL = env.str("DIORAMA_CHANNEL_URL", default=f"unix://{VAR / 'run' / 'valkey.sock'}")
# A nudge is worth half a second of waiting, not redis-py's five: everybody looks again anyway.
CHANNEL_TIMEOUT_S = 0.5
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {
            "hosts": [
                {
                    "address": CHANNEL_URL,
                    "socket_timeout": CHANNEL_TIMEOUT_S,
                    "socket_connect_timeout": CHANNEL_TIMEOUT_S,
                }
            ],
            "prefix": "diorama",
        },
    }
}
GENERATION_BATCH = env.int("DIORAMA_GENERATION_BATCH", default=1)

# --- the engines beyond sculpt ----------------------------------------------------------------
GPU_WORKERS = env.int("DIORAMA_GPU_WORKERS", default=0)
# "1" asks for the installation's own address, which a service outside reaches by https alone.
FAL_WEBHOOK = env.str("DIORAMA_FAL_WEBHOOK", default="")
_own_webhook = f"{PUBLIC_URL}{FAL_WEBHOOK_PATH}" if IS_HTTPS else ""
_hosted_key = env.str("DIORAMA_FAL_KEY", default="")
# Whether figurines are painted at a provider, by this process or by one that has the key.
HAS_HOSTED = bool(_hosted_key) or env.bool("DIORAMA_HOSTED", default=False)
WORKSHOP = Workshop(
    weights=Path(env.str("DIORAMA_WEIGHTS", default=str(VAR / "weights"))),
    licences=frozenset(env.list("DIORAMA_LICENCES", default=[])),
    is_production=not DEBUG,
    prompts=Path(env.str("DIORAMA_PROMPT_CACHE", default=str(VAR / "prompts"))),
    device=env.str("DIORAMA_GPU_DEVICE", default=""),
    levers=tuple(env.list("DIORAMA_KLEIN_LEVERS", default=[])),
    batch=env.int("DIORAMA_GPU_BATCH", default=Workshop.batch),
    hosted_key=_hosted_key,
    hosted_queue=env.str("DIORAMA_FAL_QUEUE", default=Workshop.hosted_queue),
    hosted_webhook=_own_webhook if FAL_WEBHOOK == "1" else FAL_WEBHOOK,
)

# --- files ------------------------------------------------------------------------------------
STATIC_URL = "/static/"
# Served from the checkout by default; `collectstatic` fills this for a proxy or a CDN.
STATIC_ROOT = VAR / "static"
STATIC_ROOT.mkdir(mode=0o755, exist_ok=True)
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG
WEIGHTS_MIRROR = env.str("DIORAMA_WEIGHTS_MIRROR", default="")
S3_BUCKET = env.str("DIORAMA_S3_BUCKET", default="")
S3_REGION = env.str("DIORAMA_S3_REGION", default="us-east-1")
_endpoint = env.str("DIORAMA_S3_ENDPOINT", default="").rstrip("/")
S3_ENDPOINT = _endpoint or f"https://s3.{S3_REGION}.amazonaws.com"
# One host signs the addresses of pictures and stands in the policy of pages. On AWS it is the
# bucket's own; a bucket with dots in its name has no certificate there.
_is_own_host = not _endpoint and "." not in S3_BUCKET
S3_ORIGIN = f"https://{S3_BUCKET}.s3.{S3_REGION}.amazonaws.com" if _is_own_host else S3_ENDPOINT
LOCAL_FILES = VAR / "media"
PRIVATE_STORAGE: dict[str, Any] = {
    "BACKEND": "campaign.storage.DurableFiles",
    "OPTIONS": {
        "location": str(LOCAL_FILES),
        "file_permissions_mode": 0o600,
        "directory_permissions_mode": 0o700,
    },
}
if S3_BUCKET:
    from boto3.s3.transfer import TransferConfig
    from botocore.config import Config  # type: ignore[import-untyped]

    PRIVATE_STORAGE = {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": S3_BUCKET,
            "endpoint_url": S3_ENDPOINT,
            # A bucket that hangs counts as away long before a lease's end, at which its worker
            # would be killed: botocore's own are a minute each, and three of them.
            "client_config": Config(
                s3={"addressing_style": "virtual" if _is_own_host else "path"},
                signature_version="s3v4",
                connect_timeout=3,
                read_timeout=10,
                retries={"total_max_attempts": 2},
            ),
            "region_name": S3_REGION,
            "default_acl": "private",
            "querystring_auth": True,
            "querystring_expire": 60,
            "file_overwrite": False,
            # One piece: of pieces a killed worker leaves some, which no listing shows and no sweep
            # finds. A print file has 42 MB at most, a single PUT may have 5 GB.
            "transfer_config": TransferConfig(multipart_threshold=1 << 30, num_download_attempts=1),
        },
    }
STORAGES = {
    "default": PRIVATE_STORAGE,
    "private": PRIVATE_STORAGE,
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# Uploads stay in memory: Django never writes one to a folder.
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]
UPLOAD_BODY_MAX_BYTES = 13_000_000
BODIES_MAX_BYTES = env.int("DIORAMA_BODIES_MAX_BYTES", default=500_000_000)
FILE_UPLOAD_MAX_MEMORY_SIZE = UPLOAD_BODY_MAX_BYTES
DATA_UPLOAD_MAX_MEMORY_SIZE = 100_000

# --- languages and time -----------------------------------------------------------------------
LANGUAGE_CODE = "en"
# Those in which every word of ours is there: a page says which it is in, and so does a consent.
LANGUAGES = [("en", "English")]
USE_TZ = True
TIME_ZONE = env.str("DIORAMA_TIME_ZONE", default="UTC")

# --- what a page may load ---------------------------------------------------------------------
_bucket = [S3_ORIGIN] if S3_BUCKET else []
_directives: dict[str, Any] = {
    "default-src": [NONE],
    "script-src": [SELF],
    "style-src": [SELF],
    "img-src": [SELF, "blob:", "data:", *_bucket],
    "media-src": [SELF, "blob:", *_bucket],
    "font-src": [SELF],
    "connect-src": [SELF, *_bucket],
    "worker-src": [SELF],
    "manifest-src": [SELF],
    "form-action": [SELF],
    "frame-ancestors": [NONE],
    "base-uri": [NONE],
}
CONTENT_SECURITY_POLICY = {"DIRECTIVES": _directives}
# django-unfold runs on Alpine.js, which evaluates expressions from attributes; crew pages only.
ADMIN_CSP = {
    "script-src": [SELF, NONCE, UNSAFE_EVAL],
    "style-src": [SELF, UNSAFE_INLINE],
}

# --- logs -------------------------------------------------------------------------------------
LOG_JSON = env.bool("DIORAMA_LOG_JSON", default=False)
LOG_LEVEL = env.str("DIORAMA_LOG_LEVEL", default="INFO")
LOGGING_CONFIG = None
configure_logs(json=LOG_JSON, level=LOG_LEVEL)

# --- the crew's desk --------------------------------------------------------------------------
UNFOLD = {
    "SITE_TITLE": "Diorama",
    "SITE_HEADER": "Diorama",
    "SITE_SYMBOL": "deployed_code",
    "SHOW_VIEW_ON_SITE": False,
    "LOGIN": {"form": "deploy.login.LoginForm"},
    "BORDER_RADIUS": "10px",
    "THEME": "light",
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "href": lambda request: static("img/mark.svg"),
        }
    ],
    "STYLES": [lambda request: static("css/desk_admin.css")],
    "SCRIPTS": [lambda request: static("js/desk/badge.js")],
    "SIDEBAR": {"navigation": "campaign.front.navigation"},
    "DASHBOARD_CALLBACK": "campaign.front.home",
    "COLORS": {
        "base": {
            "50": "#fdfbf4",
            "100": "#f5f0e1",
            "200": "#e6dfcb",
            "300": "#d3cab2",
            "400": "#a39c86",
            "500": "#6b6655",
            "600": "#4f4b3e",
            "700": "#403d32",
            "800": "#2a2921",
            "900": "#1b1c15",
            "950": "#14170f",
        },
        "primary": {
            "50": "#f2f5ec",
            "100": "#e3ead7",
            "200": "#c9d6b4",
            "300": "#adc090",
            "400": "#93ab72",
            "500": "#6c8a4c",
            "600": "#4f6b35",
            "700": "#40572b",
            "800": "#2f3b22",
            "900": "#1d2415",
            "950": "#141a0e",
        },
    },
}
