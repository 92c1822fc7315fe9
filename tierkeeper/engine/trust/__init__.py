"""Whether catalog and tiers belong together: the epoch, the marks of tiers, tierkeeper's own objects.

Not here: the check of a tier's mark around each store call (:mod:`tierkeeper.engine.mark_check`).
"""
