"""What every test in the repository shares."""

pytest_plugins = ["nexuscore.kernel.testing"]
