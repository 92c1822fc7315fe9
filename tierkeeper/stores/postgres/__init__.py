"""A tier of records in a PostgreSQL database."""
