"""Artifacts for readers: opened and verified, shown and explained, their access times gathered.

How the bytes of one copy are opened is :mod:`tierkeeper.engine.copies.opener`.
"""
