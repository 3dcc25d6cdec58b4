"""The contract's cases, one file per subject, in the order in which they are best read."""

from __future__ import annotations

from typing import Final

from m2mguard.testing.contract._cases.access import ACCESS_CASES
from m2mguard.testing.contract._cases.calling_as import CALLING_AS_CASES
from m2mguard.testing.contract._cases.credentials import CREDENTIAL_CASES
from m2mguard.testing.contract._cases.http import HTTP_CASES
from m2mguard.testing.contract._cases.paths import PATH_CASES
from m2mguard.testing.contract._cases.step_up import STEP_UP_CASES
from m2mguard.testing.contract._cases.tokens import TOKEN_CASES

CASES: Final = (
    *CREDENTIAL_CASES,
    *TOKEN_CASES,
    *ACCESS_CASES,
    *STEP_UP_CASES,
    *HTTP_CASES,
    *PATH_CASES,
    *CALLING_AS_CASES,
)
