"""Advice about the key: a wrong algorithm, a key that the issuer does not publish, a wrong signature. Pure."""

from __future__ import annotations

from m2mguard._cli.advice.advice_types import Advice, Cure
from m2mguard._cli.advice.issuer_terms import describe_token_request
from m2mguard._cli.advice.sample_token import advise_on_sample_token, is_sample_token
from m2mguard._cli.context import ExplainContext, expected_signature_bytes, is_cut_signature
from m2mguard._formatting import format_duration, format_value, join_names, read_number
from m2mguard._token.jws import SUPPORTED_ALGORITHMS
from m2mguard.errors import AnswerableError


def advise_on_unknown_key(error: AnswerableError, context: ExplainContext) -> Advice:
    """Advise on a token whose key the issuer does not publish."""
    header = context.token.header
    if error.problem == "kid_too_long" or header is None:
        return Advice(
            code="absurd_kid",
            wrong="token",
            cause="The kid is too long; no issuer uses such a kid. The token is forged or damaged.",
            cures=(Cure.by_caller("Get a new token, and send it as it is."),),
        )
    if header.kid is None:
        return Advice(
            code="no_kid",
            wrong="issuer",
            cause="The token names no key (kid), and the issuer does not have exactly one key for its alg, so it is "
            "unknown which one to use.",
            cures=(Cure.by_issuer("Let the issuer write kid into its tokens, or publish one key for each algorithm."),),
        )
    if context.issuer is not None and context.issuer.jwks is not None:
        return Advice(
            code="old_key_file",
            wrong="unclear",
            cause=f"The configured key set has no key {format_value(header.kid)}. The issuer may have changed its "
            "keys since the file was written.",
            cures=(
                Cure.by_api(
                    "Fetch the key set again, or let the API fetch it from the issuer: leave out --jwks (M2MGUARD_JWKS)."
                ),
                Cure.by_caller(
                    "If the key set is new, get a new token: its key was withdrawn, or another issuer signed it."
                ),
            ),
        )
    expires = read_number(context.token.claim("exp"))
    if expires is not None and expires < context.now:
        return Advice(
            code="withdrawn_key",
            wrong="token",
            cause=f"The token is old: it expired {format_duration(context.now - expires)} ago, and the issuer has "
            "withdrawn its key since then.",
            cures=(Cure.by_caller("Get a new token."),),
        )
    return Advice(
        code="unknown_key",
        wrong="token",
        cause="The issuer does not publish this key. The key was withdrawn (two rotations do that to tokens that have "
        "not expired), the token is of another tenant or environment that has the same issuer URL, or it is forged.",
        cures=(
            Cure.by_caller("Get a new token."),
            Cure.by_api(
                "If new tokens are refused as well, run m2mguard doctor: a cache between this API and the issuer may serve an old key set."
            ),
        ),
    )


def advise_on_algorithm(error: AnswerableError, context: ExplainContext) -> Advice:
    """Advise on an algorithm that is not accepted, or that does not match the key."""
    alg = context.token.header.alg if context.token.header else ""
    accepted = join_names(context.issuer.algorithms) if context.issuer else ""
    if is_sample_token(context):
        return advise_on_sample_token(context)
    if alg.startswith("HS"):
        return Advice(
            code="shared_secret",
            wrong="issuer",
            cause=f"The token is signed with a shared secret ({format_value(alg)}). Anyone who can check such a token "
            "can make one, so it is never accepted.",
            cures=(
                Cure.by_issuer(
                    "Sign this API's tokens with a key pair whose public key is published, such as RS256 or ES256 "
                    "(Auth0: the API's signing algorithm; Supabase: JWT signing keys)."
                ),
                Cure.by_caller(
                    "If it is not an access token (Keycloak's refresh tokens are signed with HS512), send the access_token."
                ),
            ),
        )
    if alg.lower() == "none":
        return Advice(
            code="unsigned",
            wrong="token",
            cause="The token has no signature (alg none). Emulators and attackers make such tokens. It is never accepted.",
            cures=(
                Cure.by_caller(f"Get a signed token from the issuer, {describe_token_request(context)}."),
                Cure.by_api(
                    "For tests, use m2mguard.testing.LocalIssuer instead of an emulator: its tokens are signed."
                ),
            ),
        )
    if error.problem == "not_for_key":
        return Advice(
            code="algorithm_of_key",
            wrong="unclear",
            cause=f"The header of the token names the algorithm {format_value(alg)}, and the key that it names is for "
            "another algorithm. The token is forged, or the issuer publishes the key with a wrong alg.",
            cures=(
                Cure.by_caller("Get a new token, and send it as it is."),
                Cure.by_issuer(
                    "If new tokens are refused as well, compare the key's alg in the key set (m2mguard keys) with the alg of the tokens."
                ),
            ),
        )
    if alg in SUPPORTED_ALGORITHMS:
        algorithms = " ".join(sorted({*context.issuer.algorithms, alg})) if context.issuer else alg
        return Advice(
            code="algorithm_not_listed",
            wrong="setting",
            cause=f"The token is signed with {format_value(alg)}. The settings accept {accepted}.",
            cures=(
                Cure.by_api(
                    f'If the issuer signs with it, list it: M2MGUARD_ALGORITHMS="{algorithms}" (algorithms=).',
                    opens="only tokens that a published key of the issuer signed",
                ),
            ),
        )
    return Advice(
        code="algorithm_not_supported",
        wrong="issuer",
        cause=f"The token is signed with {format_value(alg)}, which m2mguard does not verify. It accepts {accepted}.",
        cures=(Cure.by_issuer("Sign this API's tokens with one of these, such as ES256 or RS256."),),
    )


def advise_on_signature(error: AnswerableError, context: ExplainContext) -> Advice:
    """Advise on a signature that does not verify."""
    del error
    token, alg = context.token, context.token.header.alg if context.token.header else ""
    if token.signature_removed:
        return advise_on_removed_signature()
    expected = expected_signature_bytes(alg)
    if token.signature_bytes is not None and is_cut_signature(alg, token.signature_bytes):
        return Advice(
            code="cut_off",
            wrong="token",
            cause=f"The token was cut off at its end: its signature has {token.signature_bytes} bytes, and a "
            f"signature of {alg} has {' or '.join(map(str, expected))}.",
            cures=(
                Cure.by_caller(
                    "Copy or send the token whole. Look for a log, a column or a variable that is too short for it."
                ),
            ),
        )
    if context.graph_nonce:
        return Advice(
            code="graph_token",
            wrong="token",
            cause="The token's header has a nonce: it is an Entra token for Microsoft Graph or another API of "
            "Microsoft, and only that API can verify it.",
            cures=(
                Cure.by_caller(
                    "Get a token for this API: scope=APPLICATION_ID_URI/.default, with this API's Application ID URI."
                ),
            ),
        )
    return Advice(
        code="forged_or_changed",
        wrong="token",
        cause="The token was changed in transit, or is forged, or comes from another environment whose key has the same kid.",
        cures=(
            Cure.by_caller("Copy it whole, or get a new one."),
            Cure.by_api(
                "If every new token is refused as well, compare the thumbprint above with that of the issuer's own key (m2mguard keys)."
            ),
        ),
    )


def advise_on_removed_signature() -> Advice:
    """Advise on Cloud Run's text in the place of the signature."""
    return Advice(
        code="signature_removed",
        wrong="token",
        cause="Google Cloud Run (or API Gateway) checked the token itself, removed its signature and wrote "
        "SIGNATURE_REMOVED_BY_GOOGLE in its place. No later service can verify the token.",
        cures=(
            Cure.by_caller(
                "Send Google's own token in X-Serverless-Authorization; Cloud Run then leaves Authorization as it is, for the API's token."
            ),
            Cure.by_api(
                "Or let everybody invoke the Cloud Run service (--allow-unauthenticated), and let only m2mguard check tokens.",
                opens="every request reaches the container; m2mguard refuses those without a good token",
            ),
        ),
    )
