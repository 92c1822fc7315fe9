"""S3 lifecycle configurations as policies.

Here: the forms in which people have such a configuration (``shapes``, ``xml_nodes``), one rule of it (``rules``), and
the policies that all rules together become (``lifecycle``). Not here: whether the policies may go into force, which is
the engine's ``policies``.
"""
