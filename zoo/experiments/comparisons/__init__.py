"""Comparisons of our own: representations, and ways to start where labels are few."""
