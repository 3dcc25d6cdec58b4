"""What the page shows besides the state of the tenant. Data only."""

from __future__ import annotations

from dataclasses import dataclass, field

from m2mguard._cli.dev.explanation_rows import ExplanationRows

EXAMPLE_PATH = "/example/orders"


@dataclass(frozen=True, slots=True, kw_only=True)
class MintChoice:
    """The chosen values of the mint form, which the next page shows again."""

    app: str = ""
    api: str = ""
    scopes: tuple[str, ...] = ()
    organization: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """An answer of the example API: status, body and log line."""

    status: int
    body: str
    log: str


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The input of the page besides the tenant.

    Attributes:
        base: the URL of the page, without a path.
        form_token: the form token of the session.
        is_exposed: whether other machines can reach the page.
        message: the result of the last action in one sentence, or "".
        token: the minted token, or "".
        chosen: the chosen values of the mint form.
        call: the answer of the example API, or None.
        explanation: the explanation of a pasted token, or None.
        scope: the scope that the example route requires, or "".
    """

    base: str
    form_token: str
    is_exposed: bool = False
    message: str = ""
    token: str = ""
    chosen: MintChoice = field(default_factory=MintChoice)
    call: Call | None = None
    explanation: ExplanationRows | None = None
    scope: str = ""
