"""Gates that may stop a decision before it is carried out: the brake, its approvals, and the limit on bulk purges.

Not here: retention and holds, which are part of the decision (:mod:`tierkeeper.policy.decide`).
"""

from typing import TYPE_CHECKING

from tierkeeper_client import lazy

if not TYPE_CHECKING:
    __getattr__ = lazy.submodules(__name__)
