"""What every test in the repository shares."""

import gc
import os
import shutil
import tempfile

import pytest

pytest_plugins = ["nexuscore.kernel.testing", "nexuscore.kernel.testing_redis"]

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # the servers and commands that tests start compile us once, not each


LONGEST = (
    "tests/docs/test_docs.py",
    "tests/isolation/test_isolation.py",
    "src/nexuscore/cli/tests/test_cli.py",
    "tests/openapi/test_answers.py",
    "tests/openapi/test_clients.py",
    "tests/openapi/test_linters.py",
    "tests/crash/test_kill.py",
    "tests/crash/test_payments.py",
    "tests/crash/test_webhooks.py",
    "tests/browser/test_console.py",
    "tests/e2e/test_first_hour.py",
    "tests/processes/test_processes.py",
)


def pytest_configure(config: pytest.Config) -> None:
    """A folder of this run's own for `tmp_path`: as root, PostgreSQL passes through it as another user, and pytest
    would close the common one whenever another run starts."""
    if config.option.basetemp is None:
        config.option.basetemp = tempfile.mkdtemp(prefix="nexus-pytest-")
        config.add_cleanup(lambda: shutil.rmtree(config.option.basetemp, ignore_errors=True))
    gc.disable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The files that take longest go first, so that at the end no process waits for the other's last one."""
    turn = {config.rootpath / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: turn.get(item.path, len(LONGEST)))


def pytest_collection_finish() -> None:
    """What is there by now stays: looking through all of it for what is over took a fifth of the run."""
    gc.freeze()
    gc.enable()
