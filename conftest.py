"""What every test in the repository shares."""

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests are marked `@pytest.mark.anyio` and run on asyncio."""
    return "asyncio"
