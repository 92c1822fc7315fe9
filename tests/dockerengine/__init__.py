"""A Docker engine with Compose for tests, and the images that ``compose.yaml`` and the Dockerfile name.

``python -m dockerengine run -- COMMAND`` (with ``tests`` on the path) finds an engine or starts one of its own, gets
the images, runs the command with ``DOCKER_HOST`` and ``TIERKEEPER_TEST_DOCKER`` set, and stops what it started.
``python -m dockerengine pythons 3.14`` tries the project on another Python.
"""
