"""Names of the kinds of corpora, known without importing NumPy."""

KINDS = ("timit", "digits", "textgrid", "ctm", "table")
"""TIMIT's layout; spoken digits; recordings of your own with TextGrids, a CTM file or a table."""
