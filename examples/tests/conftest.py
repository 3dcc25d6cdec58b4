"""What every suite here shares: the settings that the examples read when they are imported. `pytest examples/tests/test_fastapi_app.py`."""

import os

os.environ.setdefault("M2MGUARD_LOGTO_ENDPOINT", "https://tenant.logto.app")
os.environ.setdefault("M2MGUARD_AUDIENCE", "https://shopping.api")  # as the fixture m2m_audience
