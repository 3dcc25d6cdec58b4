"""An authorization server of django-oauth-toolkit, for gunicorn. OAUTH_TOOLKIT is a JSON object: its database file and its applications.

Each application has an id and a secret, may ask for client credentials, and introspects. The person `alice` has the password `alice`.
"""

import json
import os

import django
from django.conf import settings
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.urls import include, path

given = json.loads(os.environ["OAUTH_TOOLKIT"])
settings.configure(
    ALLOWED_HOSTS=["*"],
    DATABASES={
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": given["database"], "OPTIONS": {"timeout": 30}}
    },
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "oauth2_provider"],
    OAUTH2_PROVIDER={"SCOPES": {"read:orders": "Read", "write:orders": "Write", "introspection": "Introspect"}},
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],  # a slow one is for secrets that people choose
    ROOT_URLCONF=__name__,
    SECRET_KEY="of tests only",
    USE_TZ=True,
)
django.setup()
call_command("migrate", verbosity=0)

from django.contrib.auth.models import User  # noqa: E402
from oauth2_provider.models import Application  # noqa: E402
from oauth2_provider.urls import metadata_urlpatterns  # noqa: E402

for client_id, (secret, grant) in given["applications"].items():
    Application.objects.create(
        client_id=client_id,
        client_secret=secret,
        client_type="confidential",
        authorization_grant_type=grant,
        name=client_id,
    )
User.objects.create_user("alice", password="alice")

urlpatterns = [*metadata_urlpatterns, path("o/", include("oauth2_provider.urls", namespace="oauth2_provider"))]
application = get_wsgi_application()
