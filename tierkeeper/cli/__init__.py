"""The command line, over the calls of the keeper that REST and pages will use too."""
