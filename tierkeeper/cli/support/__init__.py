"""What several commands share: output, parameters, the session, the processes of ``up``. No command lies here."""
