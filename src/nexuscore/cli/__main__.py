"""`python -m nexuscore.cli` is `nexus`."""

from nexuscore.cli import main

main()
