"""Stores: the port (:mod:`tierkeeper.stores.base`), and a folder for each adapter. No adapter knows another."""
