"""The frozen values that the keeper takes and returns, a file per resource.

:mod:`tierkeeper.values.plain` converts any of them to JSON; :mod:`tierkeeper.values.progress` has the type of the
callbacks of long calls.
"""
