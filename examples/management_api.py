"""List the applications of a Logto tenant through its Management API, as a machine does.

`python examples/management_api.py` asks the tenant that LOGTO_ENDPOINT, APP_ID and APP_SECRET name, or a local issuer where there is
none. Give the application the role "Logto Management API access". MANAGEMENT_API is the API identifier, where it is another than the
tenant's own: `https://<tenant>.logto.app/api`.
"""

import os

import httpx2

from m2mguard.client import TokenSource
from m2mguard.client.httpx2 import TokenAuth
from m2mguard.testing import MANAGEMENT_API, LocalIssuer


def list_applications(endpoint: str, app_id: str, app_secret: str, identifier: str) -> list[dict[str, str]]:
    """What `GET /api/applications` answers."""
    source = TokenSource.logto(endpoint, app_id, app_secret, resource=identifier, scopes=["all"])
    with httpx2.Client(auth=TokenAuth(source, endpoint), base_url=endpoint) as logto:
        answer = logto.get("/api/applications")
        answer.raise_for_status()
        applications: list[dict[str, str]] = answer.json()
        return applications


if "LOGTO_ENDPOINT" in os.environ:
    endpoint = os.environ["LOGTO_ENDPOINT"]
    identifier = os.environ.get("MANAGEMENT_API", f"{endpoint}/api")
    found = list_applications(endpoint, os.environ["APP_ID"], os.environ["APP_SECRET"], identifier)
else:
    with LocalIssuer() as issuer:
        found = list_applications(issuer.endpoint, "app-admin", "secret-of-app-admin", MANAGEMENT_API)
for application in found:
    print(f"{application['type']:<20} {application['id']:<24} {application['name']}")
