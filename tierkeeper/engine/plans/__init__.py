"""What a run would do, item by item: previewed, stored, and applied to what is as it was.

The decisions are those of :mod:`tierkeeper.engine.moment`; the doing is converge's.
"""
