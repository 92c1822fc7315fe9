"""The content and the steps of ``tierkeeper demo``."""
