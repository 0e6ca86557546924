"""Parts of every experiment: cells that are computed once, tables, claims and pictures."""
