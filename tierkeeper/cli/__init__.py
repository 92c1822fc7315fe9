"""The command line: a thin layer over the keeper's methods.

``main.py`` names the commands and loads one when it is called. The commands know nothing of each other: what two of
them share is in ``support``. ``reference.py`` writes the page about all of them.
"""
