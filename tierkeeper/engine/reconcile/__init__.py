"""Compares catalog and stores: by listing (reconcile), and by reading bytes again (verify).

What is found wrong is reported to :mod:`tierkeeper.engine.copies.damage`; converge makes it anew. Orphans are
deleted here.
"""
