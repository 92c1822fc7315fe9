"""Whether catalog and tiers belong together: the epoch, the marks of tiers, tierkeeper's own objects.

Also what the servers of stores were seen to be able to do (:mod:`server_abilities`).

Not here: the check of a tier's mark around each store call (:mod:`tierkeeper.engine.mark_check`).
"""
