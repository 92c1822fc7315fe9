"""Converge: claims due artifacts, copies what is missing, commits, dooms unwanted copies; and the rotation over it.

It deletes no bytes: that is done by :mod:`tierkeeper.engine.collect`.
"""
