"""Tests, in rooms named as those of the code; `helpers` is what they share."""
