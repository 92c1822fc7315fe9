"""What users ask of artifacts: a wish is written into the catalog, then converge makes it so.

Storing is no verb here: it is :mod:`tierkeeper.engine.ingest`.
"""
