"""Every SQL query of the catalog; the tables themselves are in ``models``."""
