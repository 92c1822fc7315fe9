"""The Celery process: app, configuration, consumer, process signals, watchdog, health. Nothing of the domain."""
