"""Comparisons of our own: representations, starts where labels are few, classical methods."""
