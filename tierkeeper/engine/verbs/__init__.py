"""The verbs on artifacts: each writes its wish into the catalog, then converge carries it out.

Storing is not among them: see :mod:`tierkeeper.engine.ingest`.
"""
