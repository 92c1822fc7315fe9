"""What events say: the vocabulary of the audit log, one payload class per subject kind and type, and its order.

Here: the kinds of subjects, the types, what each event holds before and after, and the position of an event in the
order in which events are read. Not here: how events are written and queried (:mod:`tierkeeper.catalog.events`).
"""
