"""What each event in the log means: one entry for each event of `m2mguard.events`. Data only."""

from __future__ import annotations

from m2mguard._reasons.entry import entry_without_status, table

EVENT_NAMES = table(
    entry_without_status(
        "TokenRefused",
        "a request was answered 400, 401 or 403",
        "The line has a code (`reason`) that says why.",
        ("Each reason has causes of its own.",),
        ("Here: run `m2mguard why` with the `reason` of the line, such as `m2mguard why expired`.",),
    ),
    entry_without_status(
        "KeysUnavailableEvent",
        "a request was answered 503, since its token cannot be checked",
        "The issuer's keys are not available, or it could not be asked about an opaque token. The line has a code (`problem`) that "
        "says why.",
        ("The issuer is down or not reachable, and this process has no keys, or only keys that are too old.",),
        (
            "Here: run `m2mguard why` with the `problem` of the line, such as `m2mguard why no_connection`.",
            "Here: run `m2mguard doctor` where the API runs.",
        ),
    ),
    entry_without_status(
        "RefreshFailed",
        "the keys of an issuer could not be fetched",
        "The keys at hand stay in use until an hour after the last good fetch (`stale_for`). Without any, requests are answered 503. The "
        "line has a code (`problem`) that says why.",
        ("The issuer is down or not reachable.", "The issuer's URL is wrong. Then there have never been keys."),
        ("Here: run `m2mguard why` with the `problem` of the line, such as `m2mguard why no_connection`.",),
    ),
    entry_without_status(
        "StaleServed",
        "tokens are checked with keys that are older than ttl",
        "The issuer does not answer, and the keys at hand may still be used (`stale_for`, an hour). A key that the issuer withdraws now is "
        "trusted until it answers again.",
        ("The issuer is down or not reachable; `RefreshFailed` in the log says why.",),
        ("Issuer: answer again within the time that the line names; after that the answer is 503.",),
    ),
    entry_without_status(
        "BlocklistChanged",
        "the block list is another",
        "Entries of the block list were added or removed. They count in this process from now on, for remembered tokens, too.",
        ("An operator ran `m2mguard block`, or replaced the file.",),
        ("Here: if nobody did that on purpose, find out who can write the list.",),
    ),
    entry_without_status(
        "BlocklistFailed",
        "the block list, or an entry of it, could not be read",
        "What was read before stays in force, so nobody is refused and nobody let in because of this. New entries do not count before the "
        "list can be read again. The line has a code (`problem`).",
        ("The file or the server is not there, or somebody wrote an entry by hand and made a mistake.",),
        ("Here: mend what the line names; `m2mguard block list` shows what can be read.",),
    ),
    entry_without_status(
        "KeyWithdrawn",
        "the issuer withdrew a key",
        "The key is no longer in the issuer's key set. Tokens that it signed are refused from now on with the reason `unknown_key`.",
        ("The operator rotated or removed keys.",),
        (
            "Issuer: if nobody did that on purpose, find out who did.",
            "Caller: get a new token, if the old one was signed by that key.",
        ),
    ),
    entry_without_status(
        "KeysRefreshed",
        "the keys of an issuer were fetched",
        "This is the usual event: keys are fetched every few minutes, as long as there are requests.",
        ("There were no keys yet, they will soon be too old, or a token names a new one; `cause` says which.",),
        (
            "Here: nothing. If a key is named as not usable, `m2mguard keys` shows why, and whether tokens are signed by it.",
        ),
    ),
    entry_without_status(
        "UnknownKeyThrottled",
        "a token names an unknown key, and the issuer is not asked about it yet",
        "The issuer is asked about unknown keys at most twice in 30 seconds (`burst`, `cooldown`), whatever callers send. Until then such "
        "a token is answered 503.",
        ("A caller sends tokens with invented key ids.", "The issuer rotates keys very often."),
        (
            "Here: find out who sends such tokens; from a token whose signature is not verified nothing is logged.",
            "Here: run `m2mguard keys` and compare the key ids with those of your tokens.",
        ),
    ),
    entry_without_status(
        "IntrospectionFailed",
        "the issuer could not be asked about an opaque token",
        "Good answers at hand stay in use until they are 60 seconds old (`ttl` of `Introspection`). Then requests are answered 503. The "
        "line has a code (`problem`) that says why.",
        ("The issuer is down or not reachable.", "The issuer does not accept the credentials of this API."),
        (
            "Here: run `m2mguard why` with the `problem` of the line, such as `m2mguard why introspection_credentials`.",
            "Here: run `m2mguard doctor` where the API runs; it asks about a made-up token.",
        ),
    ),
    entry_without_status(
        "KeysLoadedFromFile",
        "the keys were read from the key file",
        "A process that has no keys yet takes those that an earlier process kept (`key_directory`), so that it can check tokens while the "
        "issuer is down.",
        ("The process has just started.",),
        ("Here: nothing, unless `RefreshFailed` follows: then the issuer does not answer.",),
    ),
    entry_without_status(
        "KeyFileRejected",
        "the key file was not read, written or removed",
        "The process works without the file; if the issuer is down at its next start, it has no keys.",
        (
            "The directory belongs to another user, or others may write to it.",
            "The file is of another issuer, damaged, or too old.",
        ),
        ("Here: correct the owner and the permissions of `key_directory` as the line says.",),
    ),
    entry_without_status(
        "PlainHttpAllowed",
        "keys or tokens are fetched over plain http",
        "The setting `allow_http` accepts it. Anyone who controls the network in between chooses the keys, or reads the secret.",
        ("The issuer is asked inside a cluster, without TLS.",),
        ("Here: use https. If you keep http, then only inside a network that you trust.",),
    ),
    entry_without_status(
        "TokenRenewed",
        "this service fetched its own access token",
        "This is the usual event of a service that calls another (`m2mguard.client`).",
        ("There was no token yet, it will soon expire, or an API rejected it; `cause` says which.",),
        ("Here: nothing.",),
    ),
    entry_without_status(
        "RenewalFailed",
        "this service could not fetch its own access token",
        "The token at hand stays in use until it expires. The line has a code (`reason`) that says why.",
        ("The issuer refuses the client, or is not reachable.",),
        ("Here: run `m2mguard why` with the `reason` of the line, such as `m2mguard why wrong_secret`.",),
    ),
    entry_without_status(
        "ScopesDropped",
        "this service's own access token lacks scopes that were asked for",
        "The issuer granted fewer scopes than requested. The API called with it may answer 403.",
        ("The application has no role that grants these scopes.", "A scope is misspelt."),
        ("Issuer: give the application a role with these permissions.", "Caller: or do not request them."),
    ),
    entry_without_status(
        "TokenAccepted",
        "a token was found good",
        "This event is not logged. It is only for `on_event`, to be counted.",
        ("Every accepted request has one.",),
        ("Here: nothing.",),
    ),
)
"""Each event, the most frequent questions first."""
