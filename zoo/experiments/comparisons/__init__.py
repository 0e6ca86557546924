"""Comparisons of our own: representations, ways to start where labels are few, classical methods."""
