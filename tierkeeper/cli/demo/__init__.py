"""The content and the steps of ``tierkeeper demo``; the command itself is in :mod:`tierkeeper.cli.commands`."""
