"""A tier in a folder: one file per object, its sidecar beside it."""
