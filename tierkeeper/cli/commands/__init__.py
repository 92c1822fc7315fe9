"""The commands, one file per noun or verb; their shared code is in :mod:`tierkeeper.cli.support`."""
