"""The command line: a thin layer over the keeper's methods."""
