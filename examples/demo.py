"""Watch an API accept, refuse and survive: a local issuer, a FastAPI service under uvicorn, and every answer with its reason.

`python examples/demo.py` ends by itself and fails if any answer is not the expected one; `--serve` stays up to be tried with curl.
"""

import base64
import contextlib
import json
import logging
import shutil
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated
from urllib.parse import quote, urlencode

import urllib3
import uvicorn
from fastapi import FastAPI, Security

from m2mguard import Caller, Issuer, KeyCaching, ResourceServer
from m2mguard.events import Event, StaleServed, TokenRefused
from m2mguard.fastapi import M2MAuth
from m2mguard.testing import SHOPPING_API, Application, LocalIssuer

APP_ID, APP_SECRET = "app-orders", "a secret of the demo"
TTL_S = 1.0  # so short that the demo need not wait; the default is 300
http = urllib3.PoolManager(retries=False)  # by itself it would heed a Retry-After, and wait


def api(server: ResourceServer) -> FastAPI:
    """The service that is protected: two routes, a scope each."""
    app = FastAPI()
    auth = M2MAuth(server)

    @app.get("/orders")
    def read_orders(caller: Annotated[Caller, Security(auth, scopes=["read:orders"])]) -> dict[str, str]:
        return {"hello": caller.app_id}

    @app.post("/orders")
    def write_order(caller: Annotated[Caller, Security(auth, scopes=["write:orders"])]) -> dict[str, str]:
        return {"ordered by": caller.app_id}

    return app


@contextlib.contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Run an app under uvicorn on a free port of loopback, and give its URL."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def fetch_token(issuer: LocalIssuer, *scopes: str) -> str:
    """Ask the token endpoint as every Logto application does: client credentials, with the API identifier as resource."""
    credentials = base64.b64encode(f"{quote(APP_ID)}:{quote(APP_SECRET)}".encode()).decode()
    form = {"grant_type": "client_credentials", "resource": SHOPPING_API, "scope": " ".join(scopes)}
    answer = http.request(
        "POST",
        issuer.token_endpoint,
        headers={"Authorization": f"Basic {credentials}", "Content-Type": "application/x-www-form-urlencoded"},
        body=urlencode(form),
    )
    token: str = answer.json()["access_token"]
    return token


@dataclass
class Demo:
    """Sends requests, prints a row for each, and remembers whether all were answered as expected."""

    url: str
    events: list[Event] = field(default_factory=list)
    rows: int = 0
    surprises: int = 0

    def show(self, what: str, expected: int, *, token: str | None = None, method: str = "GET", url: str = "") -> None:
        """Make one request and print what came of it, with the reason that only the operator gets to see."""
        self.events.clear()
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        answer = http.request(method, f"{url or self.url}/orders", headers=headers)
        body = json.loads(answer.data)
        said = body.get("detail", body)
        told = said.get("error") or ", ".join(f"{name} {value}" for name, value in said.items())
        self.rows += 1
        good = answer.status == expected
        self.surprises += not good
        sent = f"{method} {'no token' if token is None else token[:6] + '…' + token[-4:]}"
        row(f"{self.rows:>2}", what, sent, f"{answer.status}", told, self._why(answer), good=good)

    def _why(self, answer: urllib3.BaseHTTPResponse) -> str:
        if answer.status == 503:
            return f"without keys nobody can tell (Retry-After: {answer.headers['Retry-After']})"
        for event in self.events:
            if isinstance(event, TokenRefused):
                return event.detail
            if isinstance(event, StaleServed):
                return f"the keys are {event.age_s:.1f} s old, and the issuer does not answer"
        return "signature, issuer, audience, time and scope are good"


WIDTHS = (3, 37, 18, 8, 26)
COLOURS = {"2": "\x1b[32m", "4": "\x1b[33m", "5": "\x1b[35m"}


def row(*cells: str, good: bool = True) -> None:
    """Print one row of the table; the last column takes what is left of the line, in as many lines as it needs."""
    room = max(30, min(shutil.get_terminal_size((150, 24)).columns, 160) - sum(WIDTHS))
    first, *more = textwrap.wrap(cells[-1], room) or [""]
    line = "".join(f"{cell:<{width}}" for cell, width in zip(cells[:-1], WIDTHS, strict=True))
    colour = COLOURS.get(cells[3][:1], "") if sys.stdout.isatty() else ""
    print(
        f"{colour}{line}{first}{'' if good else '   ← NOT THE EXPECTED ANSWER'}{colour and chr(27) + '[0m'}", flush=True
    )
    for rest in more:
        print(" " * sum(WIDTHS) + rest)


def tell(story: str) -> None:
    """Print what happens at the issuer between two requests."""
    print(f"    · {story}", flush=True)


def scenes(demo: Demo, issuer: LocalIssuer) -> None:
    """The main job first, then what goes wrong in real life."""
    good = fetch_token(issuer, "read:orders")
    demo.show("nobody says who calls", 401)
    demo.show("a machine with its token", 200, token=good)
    demo.show("the same machine, a scope it lacks", 403, token=good, method="POST")
    demo.show("a token for another API", 401, token=issuer.mint(APP_ID, audience="https://inventory.api"))
    demo.show("an ID token: same key, same issuer", 401, token=issuer.mint_id_token())
    demo.show("a person's token", 403, token=issuer.mint_user_token(scopes=["read:orders"]))
    demo.show(
        "a token of one organization only",
        403,
        token=issuer.mint(APP_ID, scopes=["read:orders"], organization_id="org-1"),
    )
    demo.show("an expired token", 401, token=issuer.mint(APP_ID, lifetime=-60))
    demo.show("a forged signature", 401, token=good[:-8] + "AAAAAAAA")
    issuer.rotate("RS256")
    tell("the issuer rotates its key, and its algorithm from ES384 to RS256")
    fresh = fetch_token(issuer, "read:orders")
    demo.show("the new key's very first request", 200, token=fresh)
    demo.show("a token of the previous key", 200, token=good)
    issuer.stop()
    time.sleep(TTL_S * 1.1)
    tell("the issuer goes down, and the keys grow older than their ttl")
    demo.show("calls are still answered", 200, token=fresh)
    with serving(api(ResourceServer(Issuer.logto(issuer.endpoint), audience=SHOPPING_API))) as cold:
        demo.show("a second API starts cold just now", 503, token=fresh, url=cold)
    issuer.start()
    tell("the issuer is back")
    demo.show("the previous key's token, once more", 200, token=good)
    issuer.withdraw(good_kid(good))
    tell("the issuer withdraws the previous key, and traffic goes on until the keys are refreshed")
    wait_for_a_refresh(demo, fresh)
    demo.show("the very same token, a moment later", 401, token=good)
    demo.show("the new key's token, as ever", 200, token=fresh)


def good_kid(token: str) -> str:
    """The key id in a token's header."""
    kid: str = json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))["kid"]
    return kid


def wait_for_a_refresh(demo: Demo, token: str) -> None:
    """Let ordinary traffic go on until the service has asked the issuer again."""
    demo.events.clear()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and not any(type(event).__name__ == "KeyWithdrawn" for event in demo.events):
        http.request("GET", f"{demo.url}/orders", headers={"Authorization": f"Bearer {token}"})
        time.sleep(0.02)


def stay_up(demo: Demo, issuer: LocalIssuer) -> None:
    """Print what to try, and serve until interrupted."""
    token = fetch_token(issuer, "read:orders")
    print(f"""
The API serves at {demo.url} and the issuer at {issuer.endpoint}. Try, in another terminal:

  curl -i {demo.url}/orders
  curl -i {demo.url}/orders -H 'Authorization: Bearer {token}'
  curl -i -X POST {demo.url}/orders -H 'Authorization: Bearer {token}'

A new token:

  curl -u '{APP_ID}:{quote(APP_SECRET)}' -d grant_type=client_credentials -d resource={SHOPPING_API} \\
       -d 'scope=read:orders write:orders' {issuer.token_endpoint}

Ctrl-C ends it.""")
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()


def main() -> int:
    """Run the scenes. Returns the exit status."""
    logging.getLogger("m2mguard").setLevel(logging.CRITICAL)  # the table tells it all
    applications = {APP_ID: Application(secret=APP_SECRET, scopes={SHOPPING_API: ("read:orders", "write:orders")})}
    events: list[Event] = []
    with LocalIssuer(applications=applications) as issuer:
        server = ResourceServer(
            Issuer.logto(issuer.endpoint),
            audience=SHOPPING_API,
            caching=KeyCaching(ttl=TTL_S, max_wait=0.5, stale_for=3600),
            on_event=events.append,
        )
        with serving(api(server)) as url:
            demo = Demo(url=url, events=events)
            print(f"An API for machines at {url}, protected by m2mguard; its issuer at {issuer.endpoint}\n")
            row("", "request", "sent", "status", "what the API says", "why (told to the operator only)")
            row("", *("─" * (width - 2) for width in WIDTHS[1:]), "─" * 40)
            if "--serve" in sys.argv[1:]:
                demo.show("a machine with its token", 200, token=fetch_token(issuer, "read:orders"))
                stay_up(demo, issuer)
            else:
                scenes(demo, issuer)
    answered = "every one as expected" if not demo.surprises else f"{demo.surprises} NOT as expected"
    print(f"\n{demo.rows} requests, {answered}.")
    return 1 if demo.surprises else 0


if __name__ == "__main__":
    sys.exit(main())
