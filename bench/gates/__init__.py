"""An app of gates, for the rows about limits and load."""
