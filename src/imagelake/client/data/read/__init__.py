"""The bytes of samples: mapped from a local lake, or through a cache of a bucket's objects.

`sample_reader` reads by index and looks ahead, `bucket_bytes` fetches blocks, `object_cache` shares them between
processes, `stored_bytes` reads in the order of storage for exports.
"""
