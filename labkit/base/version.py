"""Which labkit this is."""

VERSION = "0.2.0"  # as in pyproject.toml
