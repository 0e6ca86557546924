"""From words to times: pronunciations, and where in a recording each of their phones is."""
