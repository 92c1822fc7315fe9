"""The only place where decisions, catalog and stores work together; the keeper opens them, and reads views."""
