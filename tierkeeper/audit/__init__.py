"""The vocabulary of the audit log, one payload class per subject kind and event type, and the order of events.

Here: the kinds of subjects, the types, the fields of each event before and after a change, and the position of an event
in the order in which events are read. Not here: writing and querying events (:mod:`tierkeeper.catalog.events`).
"""
