"""The only place where decisions, catalog and stores meet."""
