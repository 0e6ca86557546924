"""Comparisons of our own: representations, pretraining for few labels, classical methods."""
