"""Why an issuer could not say whether an opaque token is good: one entry for each `IntrospectionProblem`. Data only."""

from __future__ import annotations

from m2mguard._reasons.entry import entry_without_status, table

INTROSPECTION_PROBLEMS = table(
    entry_without_status(
        "introspection_credentials",
        "the introspection endpoint does not accept this API's credentials",
        "The endpoint answered 401 or 403: it says nothing about the token, but that this API may not ask (RFC 7662 section 2.3).",
        (
            "The secret or key of `Introspection` is wrong, was replaced or has expired.",
            "The client exists, and is not allowed to introspect.",
            "The issuer wants the credentials in another form, such as `client_secret_post`.",
        ),
        (
            "Here: check `client_id` and `authentication` of `Introspection`; `m2mguard doctor` asks about a made-up token.",
            "Issuer: allow this client to introspect tokens.",
        ),
    ),
    entry_without_status(
        "introspection_proof",
        "this API cannot prove to the introspection endpoint who it is",
        "The secret, the key or the assertion that `authentication` names is not available, so the endpoint was not asked.",
        ("The file of the key or the assertion cannot be read.", "The function that gives the secret raised."),
        ("Here: look at the file or the function that the message names.",),
    ),
    entry_without_status(
        "introspection_status",
        "the introspection endpoint answered with an error or a redirect",
        "The endpoint answered with another status than 200, 401 and 403. Redirects are not followed.",
        (
            "The issuer is in trouble, or asks to be left alone (429).",
            "The URL is not that of its introspection endpoint.",
        ),
        ("Here: look at the status, and check `endpoint` of `Introspection`.",),
    ),
    entry_without_status(
        "introspection_answer",
        "the introspection endpoint's answer is none",
        "An answer is a JSON object with the member `active`, true or false (RFC 7662 section 2.2), or a signed one if `jwt` says so.",
        (
            "Something else answers at that URL, such as a login page.",
            "`jwt=True` is set, and the issuer does not sign answers for this client (RFC 9701).",
        ),
        ("Here: check `endpoint` of `Introspection`, and whether this client has signed answers at the issuer.",),
    ),
    entry_without_status(
        "introspection_signature",
        "the introspection endpoint's signed answer cannot be verified",
        "A signed answer (RFC 9701) must be of the type `token-introspection+jwt`, name the issuer and be signed by one of its keys.",
        (
            "The issuer's keys are not available.",
            "The issuer signs answers by an algorithm that `algorithms=` does not list.",
            "Something between this API and the issuer changes answers.",
        ),
        ("Here: run `m2mguard keys` and compare the algorithms with those of `Issuer(algorithms=...)`.",),
    ),
    entry_without_status(
        "introspection_audience",
        "the introspection endpoint's signed answer was made for another client",
        "The `aud` of a signed answer must be this API's `client_id` at the issuer (RFC 9701 section 5).",
        (
            "A cache between this API and the issuer serves another client's answer.",
            "The issuer signs for a fixed audience.",
        ),
        ("Here: check `client_id` of `Introspection`, and that no cache is on the way.",),
    ),
    entry_without_status(
        "introspection_budget",
        "as many questions to the introspection endpoint are in flight as may be",
        "At most `max_concurrent` questions are asked at once, a quarter of them for tokens that were accepted before.",
        ("A caller sends many invented tokens.", "The endpoint is slow.", "Many callers came with new tokens at once."),
        ("Here: find out who sends so many tokens. `max_concurrent` of `Introspection` raises the number.",),
    ),
)
"""Each `IntrospectionProblem`."""
