"""The policies in force: applying, removing and showing them, and the recompute of what an edit makes due sooner.

Not here: the decision of a policy about an artifact (:mod:`tierkeeper.engine.moment`).
"""
