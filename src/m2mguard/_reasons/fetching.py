"""Why an issuer's keys, or another document of it, could not be fetched: entries for each `FetchProblem` but introspection's. Data only."""

from __future__ import annotations

from m2mguard._reasons.entry import entry_without_status, table

FETCH_PROBLEMS = table(
    entry_without_status(
        "name_not_resolved",
        "the host name cannot be resolved",
        "DNS does not know the issuer's host, as seen from this machine.",
        ("The issuer's URL is misspelt.", "The name is known in another network only.", "This machine's DNS is down."),
        ("Here: check the spelling of the issuer's URL, and this machine's DNS.",),
    ),
    entry_without_status(
        "no_connection",
        "no connection can be made",
        "Every address of the host refused the connection, or none is reachable.",
        (
            "The issuer does not run, or listens on another port.",
            "A firewall or network policy rejects the connection.",
            "A proxy is needed.",
        ),
        ("Here: check that the issuer runs, and host, port, firewall and HTTPS_PROXY on the way to it.",),
    ),
    entry_without_status(
        "connect_timeout",
        "the connection took too long",
        "No address of the host answered in time (`connect_timeout`, 2 seconds).",
        ("A firewall or network policy drops the packets.", "The host is far away or overloaded."),
        (
            "Here: check firewalls on the way to the issuer. M2MGUARD_CONNECT_TIMEOUT and M2MGUARD_TIMEOUT give more time.",
        ),
    ),
    entry_without_status(
        "timeout",
        "the answer took too long",
        "The connection was made, and the answer was not complete in time (`timeout`, 5 seconds).",
        ("The issuer is slow.", "Something on the way is slow, such as a proxy that inspects traffic."),
        ("Here: find out what is slow. M2MGUARD_TIMEOUT gives more time.",),
    ),
    entry_without_status(
        "tls_expired",
        "TLS failed: a certificate of the server has expired or is not valid yet",
        "The certificate's dates do not include this machine's present time.",
        ("The issuer's certificate was not renewed.", "This machine's clock is wrong."),
        ("Issuer: renew the certificate. Here: if it is valid, correct this machine's clock.",),
    ),
    entry_without_status(
        "tls_name",
        "TLS failed: the server's certificate is for another host name",
        "The server that answers has a certificate for another name than the one in the URL.",
        ("The URL holds an alias or an address.", "A proxy or another server answers under this name."),
        ("Here: use the host name that the certificate is for. Issuer: or have a certificate issued for this name.",),
    ),
    entry_without_status(
        "tls_unknown_ca",
        "TLS failed: the server's certificate is not from an authority that is trusted here",
        "This machine does not know the authority that signed the certificate.",
        (
            "The issuer has a certificate of a private authority, or a self-signed one.",
            "The issuer's server does not send its intermediate certificates.",
            "A proxy inspects traffic and signs with an authority of its own.",
        ),
        ("Here: for a private authority set M2MGUARD_CA_FILE. Issuer: send the intermediate certificates, too.",),
    ),
    entry_without_status(
        "tls_strict",
        "TLS failed: a certificate breaks a rule of RFC 5280, which Python 3.13 and newer check",
        "The certificate lacks something that the standard demands, often the Authority Key Identifier.",
        ("A private authority issues certificates manually or by an old tool.",),
        (
            "Issuer: have the certificate issued again by the rules of RFC 5280, above all with an Authority Key Identifier.",
        ),
    ),
    entry_without_status(
        "tls",
        "TLS failed: no secure connection can be made",
        "The server does not speak TLS 1.2 or newer on this port, or the handshake broke off.",
        ("The port is for plain http.", "The server is very old."),
        ("Here: check the port in the URL, and that TLS 1.2 or newer is spoken there.",),
    ),
    entry_without_status(
        "proxy",
        "the proxy refused, or is not reachable",
        "A proxy is configured by the environment, and the exchange failed at it.",
        ("HTTPS_PROXY is wrong or out of date.", "The proxy does not allow the issuer's host.", "NO_PROXY is missing."),
        ("Here: check HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, and that the proxy permits the issuer's host.",),
    ),
    entry_without_status(
        "too_long",
        "the answer is longer than allowed",
        "The answer has more bytes than `max_bytes` allows (256 KiB).",
        ("Another page answers at this URL.", "The issuer publishes a very large key set."),
        ("Here: check the URL. M2MGUARD_MAX_BYTES raises the limit if the key set is really so large.",),
    ),
    entry_without_status(
        "refused_target",
        "the URL, or each address of its host, is one that is never connected to",
        "The URL or an address of its host is never connected to: plain http off loopback, a link-local address, a metadata service.",
        ("The issuer is reached over plain http inside a cluster.", "DNS gives an address of a metadata service."),
        (
            "Here: give the issuer's https URL; for plain http inside a cluster set M2MGUARD_ALLOW_HTTP=true and know the risk.",
        ),
    ),
    entry_without_status(
        "broken",
        "the exchange ended early, or the answer is not valid HTTP",
        "Something other than a healthy HTTP server answers there, or on the way to it.",
        ("The port is for another protocol.", "A proxy or load balancer resets the connection."),
        ("Here: ask for the same URL from this machine with another tool, and compare.",),
    ),
    entry_without_status(
        "other",
        "the transport failed",
        "A `transport=` from outside this library raised an error.",
        ("The transport has a fault of its own.",),
        ("Here: look at the transport that was given as `transport=`.",),
    ),
    entry_without_status(
        "no_metadata",
        "the issuer has no metadata at any well-known URL",
        "The places where an issuer describes itself are answered with a status from 400 to 499.",
        (
            "The issuer's URL is wrong: another path, or a part of it is missing. Logto: the issuer is the endpoint plus `/oidc`.",
            "The issuer has no metadata. Then the key set's URL must be configured.",
        ),
        (
            "Here: give the issuer exactly as it names itself (Logto: `Issuer.logto(endpoint)`, M2MGUARD_LOGTO_ENDPOINT).",
            "Here: for an issuer without metadata set `jwks_uri=` (M2MGUARD_JWKS_URI), for a token source `token_endpoint=`, for "
            "introspection `endpoint=`.",
        ),
    ),
    entry_without_status(
        "metadata_status",
        "the issuer's metadata was answered with an error or a redirect",
        "A well-known URL was answered with another status than 200, and not with one that means that nothing is there.",
        ("The issuer is in trouble.", "The issuer sends us elsewhere, and redirects are not followed."),
        ("Here: after a redirect, give the URL at which the issuer really is. Else wait, or look at the issuer.",),
    ),
    entry_without_status(
        "metadata_not_json",
        "the issuer's metadata is not a JSON object",
        "Something else answers at the well-known URL.",
        ("A login page, a proxy's page or a web application answers there.",),
        ("Here: give the issuer exactly as it names itself.",),
    ),
    entry_without_status(
        "other_issuer",
        "the metadata is another issuer's",
        "The metadata names another issuer than the configured one. They are compared character for character.",
        (
            "A slash at the end, http instead of https, another host: the URL leads there, and is not the issuer's name.",
            "Logto: behind a proxy, `ENDPOINT` is not set to the public address.",
            "Entra: the tenant is given as a domain name or as `common`.",
        ),
        ("Here: configure the name that the metadata tell, if it is an issuer you trust; tokens carry it as `iss`.",),
    ),
    entry_without_status(
        "no_endpoint",
        "the metadata does not name the endpoint",
        "The metadata has no `jwks_uri` (or no `token_endpoint`, or no `introspection_endpoint`).",
        ("The issuer does not sign with keys.", "The document is not an issuer's."),
        (
            "Here: set the URL yourself: `jwks_uri=` (M2MGUARD_JWKS_URI), for a token source `token_endpoint=`, for "
            "introspection `endpoint=`.",
        ),
    ),
    entry_without_status(
        "bad_endpoint",
        "the metadata names an endpoint that is not an https URL",
        "Keys fetched over plain http could be forged.",
        ("The issuer is behind a proxy, and does not know that it is reached by https.",),
        (
            "Issuer: set its public address. Here: or set the URL yourself: `jwks_uri=` (M2MGUARD_JWKS_URI), for a token source "
            "`token_endpoint=`, for introspection `endpoint=`.",
        ),
    ),
    entry_without_status(
        "other_origin",
        "the metadata names an endpoint at another origin than the issuer's",
        "Keys must come from the issuer's own scheme, host and port, unless another place is configured.",
        (
            "Google, Kubernetes and some others keep their keys at another host.",
            "Logto: it tells the address under which it was asked; behind a proxy that may be an internal one.",
        ),
        (
            "Here: if that address is right, set it yourself: `jwks_uri=` (M2MGUARD_JWKS_URI), for a token source `token_endpoint=`, for "
            "introspection `endpoint=`.",
        ),
    ),
    entry_without_status(
        "key_set_status",
        "the key set was answered with an error or a redirect",
        "The URL of the key set was answered with another status than 200.",
        (
            "The issuer is in trouble.",
            "The key set is elsewhere.",
            "The key set wants credentials, as Kubernetes does.",
        ),
        ("Here: look at the status and at the URL; `jwks_uri=` (M2MGUARD_JWKS_URI) names another.",),
    ),
    entry_without_status(
        "key_set_not_json",
        "the key set is not a JSON object",
        "Something else answers at the URL of the key set.",
        ("A login page, a proxy's page or a web application answers there.",),
        ("Here: look at what is published at that URL.",),
    ),
    entry_without_status(
        "key_set_no_list",
        "the key set has no list of keys",
        "The answer is JSON, and has no member `keys` that is a list.",
        ("The URL is that of the metadata, or of certificates in another format.",),
        ("Here: give the URL of a JWK Set (RFC 7517) as `jwks_uri=` (M2MGUARD_JWKS_URI).",),
    ),
    entry_without_status(
        "key_set_too_many_keys",
        "the key set has more keys than allowed",
        "The key set has more members than `max_keys` allows (100).",
        ("The issuer never removes old keys.", "The document is not the issuer's."),
        ("Here: M2MGUARD_MAX_KEYS raises the limit if the key set is really so large.",),
    ),
    entry_without_status(
        "key_set_no_usable_key",
        "the key set has no usable key",
        "Each key in it was passed over, for the reasons that are told beside it, or there is none.",
        (
            "The keys are for encryption, symmetric, too short, or of a type that is not known here.",
            "The issuer has no signing key yet.",
        ),
        ("Issuer: publish a signing key of type EC, RSA (2048 bits and more) or Ed25519.",),
    ),
    entry_without_status(
        "overdue",
        "the fetch did not end in time",
        "The fetch began, and neither ended nor failed within its time limit and a second more.",
        ("DNS hangs.", "A `transport=` from outside ignores its time limit."),
        ("Here: check this machine's DNS.",),
    ),
    entry_without_status(
        "not_started",
        "the fetch could not be started",
        "The system gave no thread for it.",
        ("The process has reached its limit of threads or memory.", "The process is ending."),
        ("Here: raise the limit of threads or memory of this process.",),
    ),
)
"""First those of the connection, then those of the metadata, then those of the key set."""
