"""Folded accuracy, confusion between groups, and the report page."""
