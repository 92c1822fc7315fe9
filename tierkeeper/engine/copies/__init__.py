"""Copies of content: what is stored for one, and how its bytes are opened and read.

Here is all that knows the form in which a copy is stored: :mod:`opener` opens and reads it, and gives content. What a
copy is worth (who vouches for it, whether it may go) is decided by those who call; where copies belong is decided by
policies. How one store keeps an object is the matter of its adapter in :mod:`tierkeeper.stores`.
"""
