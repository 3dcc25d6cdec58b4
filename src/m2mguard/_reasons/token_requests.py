"""Why a service has no access token of its own: one entry for each `TokenRequestReason`. Data only."""

from __future__ import annotations

from m2mguard._reasons.entry import Entry, entry_without_status, table


def _entry(code: str, sentence: str, meaning: str, causes: tuple[str, ...], cures: tuple[str, ...]) -> Entry:
    place = f"no-token-{code}"  # some of these codes are codes of a refusal, too
    return entry_without_status(code, sentence, meaning, causes, cures, place)


TOKEN_REQUESTS = table(
    _entry(
        "client_authentication",
        "the issuer does not accept the client's credentials",
        "The id of the client, its secret, or the way in which they are sent is wrong (`invalid_client`).",
        (
            "The secret is wrong, was replaced or has expired.",
            "The issuer wants the credentials in the body, not in the Authorization field, or the other way round.",
            "A special character in the secret was changed by a shell or a file.",
        ),
        (
            "Caller: check client_id and client_secret, that the secret has not expired, and whether the issuer wants another "
            "client_authentication.",
        ),
    ),
    _entry(
        "unknown_client",
        "no application has this App ID",
        "Logto does not know the App ID.",
        ("The App ID is misspelt.", "The endpoint is another tenant's.", "The application was deleted."),
        ("Caller: check the App ID, and that the endpoint is its own tenant's.",),
    ),
    _entry(
        "wrong_secret",
        "the secret is wrong, or the App ID is one of an application without a secret",
        "Logto knows the application, and the secret is not one of its secrets.",
        ("The secret was replaced or mistyped.", "The App ID is that of a single page or native application."),
        ("Caller: copy both again from a machine-to-machine application.",),
    ),
    _entry(
        "expired_secret",
        "the App Secret has expired",
        "The secret was given an end when it was created, and that has passed.",
        ("The secret was not replaced in time.",),
        ("Caller: create a new secret in Logto, and give that.",),
    ),
    _entry(
        "unauthorized_client",
        "the issuer does not let this client use client_credentials, or does not know it",
        "The issuer answers `unauthorized_client`.",
        ("The grant is not switched on for the client.", "The client is another tenant's."),
        ("Issuer: allow the grant type for the client. Caller: check client_id and that the issuer is its own.",),
    ),
    _entry(
        "grant_type",
        "the application may not use client_credentials",
        "The grant type `client_credentials` is not allowed, at all or for this client.",
        ("Logto: the application is of another type than machine-to-machine.", "The grant is not switched on."),
        ("Issuer: use a machine-to-machine application, or switch the grant type on for the client.",),
    ),
    _entry(
        "denied",
        "the issuer does not authorize this client",
        "The client is known and its credentials are good, and the issuer does not give it this token.",
        ("The client has no grant for the API, or no role.", "A rule or script at the issuer denies it."),
        ("Issuer: grant the client access to the API, and look at the issuer's rules and scripts.",),
    ),
    _entry(
        "organization",
        "the application is not in the organization, or there is none of that id",
        "Logto gives a token for an organization only to its members.",
        ("The application was not added to the organization.", "The organization's id is misspelt."),
        ("Issuer: add the application to the organization, with a role.",),
    ),
    _entry(
        "resource",
        "the issuer does not accept the resource",
        "The API identifier that was asked for is not registered, or not for this client.",
        (
            "The identifier differs from the registered one by a slash at the end, by http and https, or by capital letters.",
            "The API is registered in another tenant.",
        ),
        ("Caller: give the API's identifier exactly as it is registered at the issuer.",),
    ),
    _entry(
        "scope",
        "the issuer does not accept the scopes",
        "A scope that was asked for does not exist, or is not for this client.",
        ("A name is misspelt.", "The issuer wants scopes in another form (Entra: `ID/.default`)."),
        ("Caller: check the names and the form of the scopes, and that this client may have them.",),
    ),
    _entry(
        "malformed_request",
        "the issuer finds a parameter missing, repeated or invalid",
        "The issuer answers `invalid_request`.",
        ("A parameter is missing that this issuer demands.", "A proxy removes the Authorization field or the body."),
        ("Caller: check resource, scopes and parameters, and that no proxy removes the Authorization field.",),
    ),
    _entry(
        "claims_script",
        "the tenant's custom token claims script failed",
        "Logto runs a script of the tenant for each token, and it raised an error or took too long.",
        ("The script has a fault, or calls a service that is down.",),
        ("Issuer: look at the script, and at Logto's audit log.",),
    ),
    _entry(
        "other",
        "the issuer refuses with an error code of its own",
        "The error code is none of those that the standards define.",
        ("The issuer has rules of its own.",),
        ("Caller: look the code up in the issuer's documentation.",),
    ),
    _entry(
        "no_answer",
        "the token endpoint gave no answer in time",
        "The exchange failed, or the time was over.",
        ("The issuer is down or slow, or this machine cannot reach it (DNS, firewall, proxy, TLS).",),
        ("Caller: check the token endpoint's URL and the way to it; `m2mguard token` shows what happens.",),
    ),
    _entry(
        "discovery",
        "the issuer's metadata do not name the token endpoint",
        "Without a `token_endpoint` the issuer's metadata are asked for it, and they did not help.",
        ("The issuer's URL is wrong.", "The issuer has no metadata."),
        ("Caller: give the issuer exactly as it names itself, or set `token_endpoint=`.",),
    ),
    _entry(
        "status",
        "the answer is neither a token nor an OAuth error",
        "Something answers at the token endpoint's URL, and not as an authorization server does.",
        ("The URL is wrong.", "A proxy or gateway answers in its place."),
        ("Caller: check the token endpoint's URL, and any proxy in between.",),
    ),
    _entry(
        "too_many_requests",
        "the issuer says that it is asked too often",
        "The issuer limits how often tokens may be fetched.",
        ("Each process, or each call, fetches a token of its own instead of keeping one.",),
        ("Caller: keep one TokenSource for the life of the process.",),
    ),
    _entry(
        "temporarily_unavailable",
        "the issuer says that it is not available at the moment",
        "The issuer is in trouble.",
        ("The issuer is down, restarting, or overloaded.",),
        ("Caller: wait; it is asked again after the seconds in `retry_after`.",),
    ),
    _entry(
        "unusable_answer",
        "the token endpoint's answer cannot be used",
        "The answer looks like a token, and holds none that can be sent as a bearer token.",
        ("The issuer gives tokens that are bound to a key (DPoP).", "Something else answers at that URL."),
        ("Issuer: give bearer tokens to this client.",),
    ),
    _entry(
        "client_secret",
        "the callable that was given as client_secret raised, or returned no secret",
        "The secret comes from your own code, and that failed.",
        ("A secret store is not reachable, or the secret is not there.",),
        ("Caller: look at the callable.",),
    ),
    _entry(
        "client_assertion",
        "there is no assertion to prove who asks: its file or key cannot be read, or its function raised",
        "An `AssertionFile`, an `Assertion` or a `PrivateKeyJwt` could not make its proof, so the issuer was not asked.",
        (
            "The platform has not written the file yet, or the path is another one.",
            "The process may not read the file or the key.",
            "The function cannot reach what it asks, such as a metadata service.",
        ),
        ("Caller: look at the file, the key or the function that the message names.",),
    ),
)
"""Each `TokenRequestReason`: first what is refused for good, then what may pass."""
