"""The table: all rows, in the order in which they are best read."""

from __future__ import annotations

from typing import Final

from m2mguard.testing.contract.access_rows import ACCESS_ROWS
from m2mguard.testing.contract.credential_rows import CREDENTIAL_ROWS
from m2mguard.testing.contract.http_rows import HTTP_ROWS
from m2mguard.testing.contract.path_rows import PATH_ROWS
from m2mguard.testing.contract.token_rows import TOKEN_ROWS

ROWS: Final = (*CREDENTIAL_ROWS, *TOKEN_ROWS, *ACCESS_ROWS, *HTTP_ROWS, *PATH_ROWS)
