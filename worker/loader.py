"""Celery's loader without the working folder: a task's module comes from the installation, whatever lies there."""

from typing import Any

from celery.loaders.app import AppLoader


class InstalledLoader(AppLoader):
    """Imports modules from ``sys.path`` alone; Celery's own puts the working folder before it."""

    def import_from_cwd(self, module: str, imp: Any = None, package: str | None = None) -> Any:  # noqa: ANN401  Celery's
        """Import ``module``, and from nowhere but where Python looks."""
        return (imp or self.import_module)(module, package=package)
