"""What every experiment runs on: cells that are computed once, tables, claims and pictures."""
