"""Shared code of the commands: output, parameters, the session, the processes of ``up``. No command is here."""
