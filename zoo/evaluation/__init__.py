"""Scores of runs on prepared sets, for people and for programs, and the report page."""
