"""Copies of content: what is stored for one, and how its bytes are opened, checked, copied and reported.

Here is all that knows the form in which a copy is stored (:mod:`opener`), reads copies to know whether they are right
(:mod:`check`, :mod:`looking`, :mod:`siblings`), moves their bytes (:mod:`transfer`), and notes what was seen of them:
who vouches (:mod:`vouching`), another pin (:mod:`repinning`), damage (:mod:`damage`), absence (:mod:`suspects`). Where
copies belong and which of them go is decided elsewhere; how a store keeps an object is the matter of its adapter.
"""
