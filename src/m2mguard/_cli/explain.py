"""`m2mguard explain`: have the library verify one token, and find out why it was accepted or refused.

The verdict is `ResourceServer.authenticate`'s. Claims are shown, since the operator brought the token; the signature never is.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from m2mguard._cli.advice import Advice, advise
from m2mguard._cli.advice.pasted import advise_on_text
from m2mguard._cli.context import ExplainContext, UnverifiedToken, read_token
from m2mguard._cli.pasted import Pasted, read_pasted
from m2mguard._cli.recognition import recognise
from m2mguard._cli.recording_transport import Exchange, clock_offset_s
from m2mguard._cli.settings import Setup
from m2mguard._cli.step_report import Step, steps
from m2mguard._server.answers import Answer
from m2mguard._server.requirement import Requirement
from m2mguard.caller import Caller
from m2mguard.errors import AnswerableError
from m2mguard.issuer import Issuer


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What the library says of a token, and why.

    Attributes:
        pasted: what came in, and what was taken off it. Without a token in it, only `advice` is there.
        caller: who calls, if the token was accepted.
        error: why it was refused, or why it could not be checked; else None.
        answer: what the caller would be answered to it, or None.
        context: what the explanation draws on.
        steps: the verification step by step.
        advice: the cause and what to do; None for a token that was accepted, and while keys are not available.
        exchanges: what the issuer was asked.
    """

    pasted: Pasted
    caller: Caller | None = None
    error: AnswerableError | None = None
    answer: Answer | None = None
    context: ExplainContext | None = None
    steps: tuple[Step, ...] = ()
    advice: Advice | None = None
    exchanges: tuple[Exchange, ...] = ()


def explain(text: str | bytes, setup: Setup, requirement: Requirement, *, at: float | None) -> Explanation:
    """Verify a token, as it would be if a request brought it now or at another time. Blocks while keys are fetched.

    Args:
        text: what was pasted: a token, alone or with what people copy along with it.
        setup: the settings.
        requirement: what the route asks for.
        at: seconds since the epoch, or None for now.
    """
    pasted = read_pasted(text)
    on_text = advise_on_text(pasted, setup.settings)
    if pasted.token is None:
        return Explanation(pasted=pasted, advice=on_text)
    now = time.time() if at is None else at
    field_value = f"Bearer {pasted.token}"
    server, transport = setup.server(clock=lambda: now)
    caller: Caller | None = None
    error: AnswerableError | None = None
    try:
        caller = server.authenticate([field_value], requirement)
    except AnswerableError as refused:
        error = refused
    token = read_token(field_value)
    issuer = _named(token, setup)
    health = {one.issuer: one for one in server.health().issuers}
    given = issuer is not None and issuer.jwks is not None
    context = ExplainContext(
        token=token,
        recognised=recognise(pasted.header or {}, pasted.claims or {}),
        settings=setup.settings,
        issuer=issuer,
        keys=None if issuer is None else health[issuer.url],
        keys_from="configured" if given or not transport.exchanges else f"found at {transport.exchanges[-1].url}",
        requirement=requirement,
        now=now,
        is_now=at is None,
        graph_nonce="nonce" in (pasted.header or {}),
        clock_offset_s=clock_offset_s(transport.exchanges),
    )
    return Explanation(
        pasted=pasted,
        caller=caller,
        error=error,
        answer=None if error is None else server.answer(error),
        context=context,
        steps=tuple(steps(context, error)),
        advice=None if error is None else on_text or advise(error, context),
        exchanges=tuple(transport.exchanges),
    )


def _named(token: UnverifiedToken, setup: Setup) -> Issuer | None:
    said = token.claim("iss")
    return next((one for one in setup.settings.issuers if said in one.names), None) if isinstance(said, str) else None
