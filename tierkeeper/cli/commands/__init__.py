"""The commands, one file per noun or verb; what they share lies in :mod:`tierkeeper.cli.support`."""
