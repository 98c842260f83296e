"""Apps a user could have written, on the public API alone."""
