"""S3 servers that tests start and stop, and a proxy that spoils their answers."""
