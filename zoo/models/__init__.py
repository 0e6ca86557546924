"""Builders of the zoo's architectures, one family a file, and their cards."""
