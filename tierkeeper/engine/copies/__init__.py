"""Copies of content: their stored form, and how their bytes are opened, checked, transferred and reported on.

This package knows the form in which a copy is stored (:mod:`opener`), checks whether copies are right (:mod:`check`,
:mod:`presence`, :mod:`siblings`), moves their bytes (:mod:`transfer`), and records what was observed: that a copy is
vouched for (:mod:`unvouched`), a new pin (:mod:`pins`), damage (:mod:`damage`), absence (:mod:`suspects`). Which
tiers want a copy, and which doomed copies are deleted, is decided elsewhere; how a store keeps an object is up to its
adapter.
"""

from typing import TYPE_CHECKING

from tierkeeper_client import lazy

if not TYPE_CHECKING:
    __getattr__ = lazy.submodules(__name__)
