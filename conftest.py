"""What every test in the repository shares."""

import gc
import os
import shutil
import tempfile

import pytest

pytest_plugins = ["nexuscore.kernel.testing", "nexuscore.kernel.testing_redis"]

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # the servers and commands that tests start compile us once, not each


def pytest_configure(config: pytest.Config) -> None:
    """A folder of this run's own for `tmp_path`: as root, PostgreSQL passes through it as another user, and pytest
    would close the common one whenever another run starts."""
    if config.option.basetemp is None:
        config.option.basetemp = tempfile.mkdtemp(prefix="nexus-pytest-")
        config.add_cleanup(lambda: shutil.rmtree(config.option.basetemp, ignore_errors=True))
    gc.disable()


def pytest_collection_finish() -> None:
    """What is there by now stays: looking through all of it for what is over took a fifth of the run."""
    gc.freeze()
    gc.enable()
