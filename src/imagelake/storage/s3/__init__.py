"""Buckets: the one client (`client`), a bucket as a storage (`bucket_storage`), and what it can do (`capabilities`)."""
