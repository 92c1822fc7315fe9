"""Whether the catalog and the tiers belong together: the epoch, the marks of tiers, tierkeeper's own objects.

What one tier's mark says at a moment is asked of :mod:`tierkeeper.engine.marks`.
"""
