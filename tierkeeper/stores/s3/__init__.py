"""A tier in a bucket of any server that speaks S3: hot calls by a signed client, the rest by boto3."""
