"""An app of two operations, for what a fact adds to one."""
