"""The Django site of this process. Django can be set up only once, so every test overrides the settings that it needs."""

import django
from asgiref.sync import SyncToAsync
from django.conf import settings


def set_up() -> None:
    """Set Django up without a database and without settings of a test."""
    if settings.configured:
        return
    settings.configure(
        ALLOWED_HOSTS=["*"],
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "rest_framework",
            "drf_spectacular",
            "m2mguard.django",
        ],
        REST_FRAMEWORK={"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"},
        SECRET_KEY="of tests only",
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    )
    django.setup()
    SyncToAsync.single_thread_executor.submit(int).result()  # its thread runs until the process ends
