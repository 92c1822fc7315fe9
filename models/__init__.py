"""The catalog's tables, one a module, from which a statement takes it; :mod:`models.tables` has all of them."""
