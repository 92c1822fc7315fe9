"""PostgreSQL and Valkey from wheels: the default where no server is configured. Needs the extra ``embedded``."""
