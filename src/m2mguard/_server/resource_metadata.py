"""Protected resource metadata: a document in which an API says who issues tokens for it (RFC 9728).

Pure: built once, from settings and never from a Host or anything else of a request. Adapters serve it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from m2mguard._server.answers import Answer, json_answer
from m2mguard._validation import endpoint_url, scope_names
from m2mguard.errors import ConfigurationError
from m2mguard.paths import unambiguous_path

WELL_KNOWN = "/.well-known/oauth-protected-resource"  # RFC 9728 section 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceMetadata:
    """The metadata document of one API, and its URL. Immutable.

    Args:
        resource_url: the API's resource identifier, an https URL (http on loopback) without a query or percent-encoding.
        authorization_servers: the issuers of its tokens.
        scopes_supported: scopes to ask for. An empty list is left out of the document (RFC 9728 section 3.2).
        dpop_algorithms: the algorithms of DPoP proofs, if they are accepted (RFC 9449).
        dpop_required: whether tokens without DPoP are refused.

    Attributes:
        path: the path of the document on the API's host: the well-known path, and then that of the resource URL.
        url: its URL, for `resource_metadata` in challenges.
        answer: the document, ready to be sent to anybody who asks by GET or HEAD.

    Raises:
        ConfigurationError: an invalid value.
    """

    resource_url: str
    authorization_servers: Collection[str]
    scopes_supported: Collection[str] = ()
    dpop_algorithms: Collection[str] = ()
    dpop_required: bool = False
    path: str = field(init=False)
    url: str = field(init=False)
    answer: Answer = field(init=False, repr=False, hash=False)

    def __post_init__(self) -> None:
        parts = endpoint_url("resource_url", self.resource_url)
        if "%" in parts.path:
            raise ConfigurationError("resource_url must not have percent-encoding in its path.")
        document: dict[str, str | bool | list[str]] = {
            "resource": self.resource_url,
            "authorization_servers": list(self.authorization_servers),
            "scopes_supported": list(scope_names("scopes_supported", self.scopes_supported)),
            "bearer_methods_supported": ["header"],
            "dpop_signing_alg_values_supported": list(self.dpop_algorithms),
            "dpop_bound_access_tokens_required": self.dpop_required,
        }
        document = {name: value for name, value in document.items() if value}
        path = WELL_KNOWN + ("" if parts.path == "/" else parts.path)
        object.__setattr__(self, "path", path)
        object.__setattr__(self, "url", f"{parts.scheme}://{parts.netloc}{path}")
        object.__setattr__(self, "answer", json_answer(200, document, {}))

    def is_asked_for(self, method: str, path: str, *, root_path: str = "", raw_path: bytes | None = None) -> bool:
        """Tell whether a request asks for the document: GET or HEAD for exactly its path.

        Args:
            method: of the request.
            path: as for `PublicPaths.match`; the next two alike.
            root_path: where the application is mounted.
            raw_path: the path as it was sent, where the server tells.
        """
        return method in ("GET", "HEAD") and unambiguous_path(path, root_path, raw_path) == self.path


def configured_metadata(
    resource_url: str | None,
    authorization_servers: Collection[str],
    scopes_supported: Collection[str],
    *,
    dpop_algorithms: Collection[str] = (),
    dpop_required: bool = False,
) -> ResourceMetadata:
    """The metadata of a resource server whose settings have a `resource_url`, or scopes for it.

    Raises:
        ConfigurationError: an invalid value, or scopes without a `resource_url`.
    """
    if resource_url is None:
        raise ConfigurationError("scopes_supported has no effect without resource_url, of whose metadata it is part.")
    return ResourceMetadata(
        resource_url=resource_url,
        authorization_servers=authorization_servers,
        scopes_supported=scopes_supported,
        dpop_algorithms=dpop_algorithms,
        dpop_required=dpop_required,
    )
