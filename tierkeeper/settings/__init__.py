"""The settings: their groups and defaults, where each value comes from, and how they are shown.

A setting's effect is decided where it is used; the catalog keeps no settings.
"""
