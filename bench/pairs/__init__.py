"""An app of operations in pairs that do the same but for one thing, for what that thing adds."""
