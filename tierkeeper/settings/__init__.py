"""The settings: their groups and defaults, where each value comes from, and how they are shown.

What the settings mean is decided where they are used; the catalog keeps no settings.
"""
