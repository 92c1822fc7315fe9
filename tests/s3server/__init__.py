"""A real S3 server for tests and benchmarks: a one-node Ceph with its RADOS Gateway in a private Debian root.

``python -m s3server run -- COMMAND`` (with ``tests`` on the path) starts it, runs the command with
``TIERKEEPER_TEST_S3_*`` set, and stops it again, whatever happens.
"""
