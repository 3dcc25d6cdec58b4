"""Names that are imported at their first use: a type checker knows each of them, and no other. Never run."""

from typing import assert_type

import m2mguard
import m2mguard.testing

assert_type(m2mguard.Requirement(), m2mguard.Requirement)
assert_type(m2mguard.testing.LocalIssuer().url, str)

m2mguard.Requirements()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
m2mguard.testing.LocalIssuers()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
