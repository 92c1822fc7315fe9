"""The catalog as a whole: dumped, rebuilt, compared with the stores, accepted after a restore, examined.

One artifact that lost a copy is converge's; bytes that no row knows in a healthy catalog are reconcile's.
"""
