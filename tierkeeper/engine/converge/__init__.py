"""Makes what is wanted so: claims what is due, copies what is missing, commits, dooms what is unwanted; the rotation.

It deletes no bytes: that is :mod:`tierkeeper.engine.collect`.
"""
