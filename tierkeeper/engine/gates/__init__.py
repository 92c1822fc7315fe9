"""What may stop a decision before it is carried out: the brake, its approvals, purges by filter.

Retention and holds are no gates: they are part of the decision (:mod:`tierkeeper.policy.decide`).
"""
