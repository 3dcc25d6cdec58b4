"""Causes around the key: the algorithm, a key that the issuer does not publish, a signature that does not fit. Pure."""

from __future__ import annotations

from m2mguard._cli.advice.advice import Advice, api, caller, issuer
from m2mguard._cli.advice.asking import how_to_ask
from m2mguard._cli.advice.samples import is_sample, sample
from m2mguard._cli.context import ExplainContext, expected_signature_bytes, is_cut_signature
from m2mguard._formatting import formatted_number, joined_names, quoted, span
from m2mguard._token.jws import SUPPORTED_ALGORITHMS
from m2mguard.errors import AnswerableError


def unknown_key(error: AnswerableError, context: ExplainContext) -> Advice:
    """The issuer does not publish the key that the token names."""
    header = context.token.header
    if error.problem == "kid_too_long" or header is None:
        return Advice(
            code="absurd_kid",
            wrong="token",
            cause="No issuer names its key by so long a kid. The token is forged or damaged.",
            cures=(caller("Get a new token, and send it as it is."),),
        )
    if header.kid is None:
        return Advice(
            code="no_kid",
            wrong="issuer",
            cause="The token names no key (kid), and the issuer does not have exactly one key for its alg, so it is unknown "
            "which one to use.",
            cures=(issuer("Let the issuer write kid into its tokens, or publish one key for each algorithm."),),
        )
    if context.issuer is not None and context.issuer.jwks is not None:
        return Advice(
            code="old_key_file",
            wrong="unclear",
            cause=f"The configured key set has no key {quoted(header.kid)}. The issuer may have changed its keys "
            f"since it was written.",
            cures=(
                api(
                    "Fetch the key set again, or let the API fetch it from the issuer: leave out --jwks (M2MGUARD_JWKS)."
                ),
                caller("If the key set is new, get a new token: its key was withdrawn, or it is another issuer's."),
            ),
        )
    expires = formatted_number(context.token.claim("exp"))
    if expires is not None and expires < context.now:
        return Advice(
            code="withdrawn_key",
            wrong="token",
            cause=f"The token is old: it expired {span(context.now - expires)} ago, and the issuer has withdrawn its key since then.",
            cures=(caller("Get a new token."),),
        )
    return Advice(
        code="unknown_key",
        wrong="token",
        cause="The issuer does not publish this key. The key was withdrawn (two rotations do that to tokens that have not "
        "expired), the token is "
        "of another tenant or environment that has the same issuer URL, or it is forged.",
        cures=(
            caller("Get a new token."),
            api(
                "If new tokens are refused alike, run m2mguard doctor: a cache on the way to the issuer may serve an old key set."
            ),
        ),
    )


def algorithm(error: AnswerableError, context: ExplainContext) -> Advice:
    """The token is signed with an algorithm that is not accepted, or that its key is not for."""
    alg = context.token.header.alg if context.token.header else ""
    accepted = joined_names(context.issuer.algorithms) if context.issuer else ""
    if is_sample(context):
        return sample(context)
    if alg.startswith("HS"):
        return Advice(
            code="shared_secret",
            wrong="issuer",
            cause=f"The token is signed with a shared secret ({quoted(alg)}). Anyone who can check such a token can make one, so "
            f"it is never accepted.",
            cures=(
                issuer(
                    "Sign this API's tokens with a key pair whose public key is published, such as RS256 or ES256 (Auth0: the "
                    "API's signing "
                    "algorithm; Supabase: JWT signing keys)."
                ),
                caller(
                    "If it is no access token (Keycloak's refresh tokens are signed with HS512), send the access_token."
                ),
            ),
        )
    if alg.lower() == "none":
        return Advice(
            code="unsigned",
            wrong="token",
            cause="The token has no signature (alg none). Emulators make such tokens, and forgers. It is never accepted.",
            cures=(
                caller(f"Get a signed token from the issuer, {how_to_ask(context)}."),
                api("For tests, use m2mguard.testing.LocalIssuer in the place of an emulator: its tokens are signed."),
            ),
        )
    if error.problem == "not_for_key":
        return Advice(
            code="algorithm_of_key",
            wrong="unclear",
            cause=f"The token says that it is signed with {quoted(alg)}, and the key that it names is for another algorithm. "
            f"The token is forged, or "
            "the issuer publishes the key with a wrong alg.",
            cures=(
                caller("Get a new token, and send it as it is."),
                issuer(
                    "If new tokens are refused alike, compare the key's alg in the key set (m2mguard keys) with that of the tokens."
                ),
            ),
        )
    if alg in SUPPORTED_ALGORITHMS:
        listed = " ".join(sorted({*context.issuer.algorithms, alg})) if context.issuer else alg
        return Advice(
            code="algorithm_not_listed",
            wrong="setting",
            cause=f"The token is signed with {quoted(alg)}. The settings accept {accepted}.",
            cures=(
                api(
                    f'If the issuer really signs so, list it: M2MGUARD_ALGORITHMS="{listed}" (algorithms=).',
                    opens="nothing that the issuer's published keys do not sign",
                ),
            ),
        )
    return Advice(
        code="algorithm_not_supported",
        wrong="issuer",
        cause=f"The token is signed with {quoted(alg)}, which m2mguard does not verify. It accepts {accepted}.",
        cures=(issuer("Sign this API's tokens with one of these, such as ES256 or RS256."),),
    )


def signature(error: AnswerableError, context: ExplainContext) -> Advice:
    """The signature does not fit."""
    del error
    token, alg = context.token, context.token.header.alg if context.token.header else ""
    if token.signature_removed:
        return removed_by_google()
    expected = expected_signature_bytes(alg)
    if token.signature_bytes is not None and is_cut_signature(alg, token.signature_bytes):
        return Advice(
            code="cut_off",
            wrong="token",
            cause=f"The token was cut off at its end: its signature has {token.signature_bytes} bytes, and one of {alg} has "
            f"{' or '.join(map(str, expected))}.",
            cures=(
                caller(
                    "Copy or send the token whole. Look for a log, a column or a variable that is too short for it."
                ),
            ),
        )
    if context.graph_nonce:
        return Advice(
            code="graph_token",
            wrong="token",
            cause="The token's header has a nonce: it is an Entra token for Microsoft Graph or another API of Microsoft's own, "
            "which alone can verify it.",
            cures=(
                caller(
                    "Get a token for this API: scope=APPLICATION_ID_URI/.default, with this API's Application ID URI."
                ),
            ),
        )
    return Advice(
        code="forged_or_changed",
        wrong="token",
        cause="The token was changed on its way, or is forged, or comes from another environment whose key has the same kid.",
        cures=(
            caller("Copy it whole, or get a new one."),
            api(
                "If every new token is refused alike, compare the thumbprint above with that of the issuer's own key (m2mguard keys)."
            ),
        ),
    )


def removed_by_google() -> Advice:
    """Cloud Run's text is in the place of the signature."""
    return Advice(
        code="signature_removed",
        wrong="token",
        cause="Google Cloud Run (or API Gateway) checked the token itself, removed its signature and wrote SIGNATURE_REMOVED_BY_GOOGLE in "
        "its place. No service behind it can verify the token any more.",
        cures=(
            caller(
                "Send Google's own token in X-Serverless-Authorization; Cloud Run then leaves Authorization as it is, for the API's token."
            ),
            api(
                "Or let everybody invoke the Cloud Run service (--allow-unauthenticated), and let m2mguard alone decide.",
                opens="every request reaches the container; m2mguard refuses those without a good token",
            ),
        ),
    )
