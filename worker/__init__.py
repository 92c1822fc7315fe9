"""The Celery process: app, configuration, process signals, health. Nothing of the domain."""
