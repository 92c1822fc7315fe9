"""The only place where decisions, catalog and stores work together, in a package per subject.

Not here: opening catalog and stores, and views that take no decision (:mod:`tierkeeper.keeper`).
"""
