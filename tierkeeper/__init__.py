"""Storage lifecycle on Celery, PostgreSQL and S3."""
