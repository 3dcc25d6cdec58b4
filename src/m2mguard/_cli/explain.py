"""`m2mguard explain`: verifies one token with the library, and collects why it was accepted or refused.

`ResourceServer.authenticate` decides. The output shows the claims, since the operator has the token; it never shows the signature.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from m2mguard._cli.advice import Advice, advise_on_refusal
from m2mguard._cli.advice.not_a_token import advise_on_text
from m2mguard._cli.certificate_file import NoRequest
from m2mguard._cli.command_setup import CommandSetup
from m2mguard._cli.context import ExplainContext, UnverifiedToken, read_token
from m2mguard._cli.opaque_steps import (
    advise_on_opaque,
    health_of_introspection,
    introspecting_issuer,
    list_opaque_steps,
)
from m2mguard._cli.pasted import PastedText, read_pasted_text
from m2mguard._cli.recognition import recognise_token
from m2mguard._cli.recording_transport import Exchange, measure_clock_offset_s
from m2mguard._cli.step_report import Step, list_steps
from m2mguard._server.answers import Answer
from m2mguard._server.requirement import Requirement
from m2mguard.caller import Caller
from m2mguard.errors import AnswerableError
from m2mguard.issuer import Issuer


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The result of `explain`: accepted or refused, and why.

    Attributes:
        pasted: the classified input. If it has no token, only `advice` is set beside it.
        caller: the Caller, if the token was accepted; else None.
        error: why the token was refused or could not be checked; else None.
        answer: the answer to the caller for that error, or None.
        context: the input of the explanation, or None without a token.
        steps: the steps of the verification.
        advice: the cause and what to do; None if the token was accepted or keys are not available.
        exchanges: the exchanges with the issuer.
    """

    pasted: PastedText
    caller: Caller | None = None
    error: AnswerableError | None = None
    answer: Answer | None = None
    context: ExplainContext | None = None
    steps: tuple[Step, ...] = ()
    advice: Advice | None = None
    exchanges: tuple[Exchange, ...] = ()


def explain(
    text: str | bytes,
    setup: CommandSetup,
    requirement: Requirement,
    *,
    at: float | None,
    certificate: bytes | None = None,
) -> Explanation:
    """Verify a token as in a request, now or at another time, and explain the result. Blocks while keys are fetched.

    Args:
        text: the pasted text: a token, alone or with surrounding text.
        setup: the settings.
        requirement: the requirement of the route.
        at: seconds since the epoch, or None for now.
        certificate: with which the request comes, in DER form, or None.

    Raises:
        ConfigurationError: no caller of this server can meet the requirement.
    """
    pasted = read_pasted_text(text)
    text_advice = advise_on_text(pasted, setup.settings)
    introspecting = introspecting_issuer(setup.settings)
    is_opaque = pasted.token is None and pasted.word is not None and introspecting is not None
    if pasted.token is None and not is_opaque:
        return Explanation(pasted=pasted, advice=text_advice)
    now = time.time() if at is None else at
    field_value = f"Bearer {pasted.token or pasted.word}"
    server, transport = setup.create_server(clock=lambda: now, blocklist=setup.settings.blocklist)
    server.check_requirement(requirement)
    caller: Caller | None = None
    error: AnswerableError | None = None
    try:
        reader = None if certificate is None else (lambda _: certificate)
        caller = server.authenticate([field_value], requirement, head=NoRequest(), certificate=reader)
    except AnswerableError as refused:
        error = refused
    token = read_token(field_value)
    issuer = introspecting if is_opaque else _find_named_issuer(token, setup)
    health = {one.issuer: one for one in server.health().issuers}
    keys = None if issuer is None else health_of_introspection(health, issuer) if is_opaque else health[issuer.url]
    is_static = issuer is not None and issuer.jwks is not None
    context = ExplainContext(
        token=token,
        recognised=recognise_token(pasted.header or {}, pasted.claims or {}),
        settings=setup.settings,
        issuer=issuer,
        keys=keys,
        keys_from="configured" if is_static or not transport.exchanges else f"found at {transport.exchanges[-1].url}",
        requirement=requirement,
        now=now,
        is_now=at is None,
        certificate=certificate,
        graph_nonce="nonce" in (pasted.header or {}),
        clock_offset_s=measure_clock_offset_s(transport.exchanges),
    )
    return Explanation(
        pasted=pasted,
        caller=caller,
        error=error,
        answer=None if error is None else server.answer(error),
        context=context,
        steps=tuple(
            list_opaque_steps(context, error, transport.exchanges) if is_opaque else list_steps(context, error)
        ),
        advice=advise_on_opaque(error, context)
        if is_opaque
        else None
        if error is None
        else text_advice or advise_on_refusal(error, context),
        exchanges=tuple(transport.exchanges),
    )


def _find_named_issuer(token: UnverifiedToken, setup: CommandSetup) -> Issuer | None:
    iss = token.claim("iss")
    return next((one for one in setup.settings.issuers if iss in one.names), None) if isinstance(iss, str) else None
