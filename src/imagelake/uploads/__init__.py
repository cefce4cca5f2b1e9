"""Uploads as sources: a folder, a zip or a document, on disk or in a bucket, as one listing of files.

`open_source` opens what somebody names, `source` is what the stages see, `archive` looks a zip through before it is
trusted, `archive_copy` puts it into the lake.
"""
