"""The catalog as a whole: dumped, rebuilt, compared with the stores, accepted after a restore, examined.

Not here: a single artifact that lost a copy (converge), and bytes without a row in a healthy catalog (reconcile).
"""
