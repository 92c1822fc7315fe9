"""What the keeper takes and returns, a file per resource: frozen values.

:mod:`tierkeeper.values.plain` makes JSON of any of them.
"""
