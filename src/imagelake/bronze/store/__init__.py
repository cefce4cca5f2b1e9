"""Bytes into the lake: read by ranges (`read_blobs`), written by workers (`write_blobs`) or copied by the server."""
