"""Stores: the port (:mod:`tierkeeper.stores.base`), and a package for each adapter. Adapters are independent."""
