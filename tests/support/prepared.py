"""A working folder that another user prepared: code under the names that a process of ours, or a library, looks for."""

from pathlib import Path

_MODULES = ("celery.py", "celeryconfig.py", "flowerconfig.py", "json.py", "threading.py", "sitecustomize.py")
_PACKAGES = ("worker", "tasks", "models", "tierkeeper", "tierkeeper_client", "kombu")
_DJANGO = "VERSION = (5, 2)\n"


def prepare(folder: Path) -> Path:
    """Put such code into ``folder``; return the file that each piece of it writes its own name to."""
    mark = folder / "ran"
    code = f"with open({str(mark)!r}, 'a') as mark: mark.write(__file__ + chr(10))\nraise SystemExit(99)\n"
    for name in _MODULES:
        (folder / name).write_text(code)
    for name in _PACKAGES:
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(code)
    return mark


def django(folder: Path) -> Path:
    """Install what passes for Django below ``folder``; return the entry for ``PYTHONPATH``."""
    (folder / "django").mkdir(parents=True)
    (folder / "django" / "__init__.py").write_text(_DJANGO)
    return folder
