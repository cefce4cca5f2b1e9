"""Bronze: what was delivered, byte for byte, and where those bytes are."""

from __future__ import annotations

from imagelake.tables.spec import Column, TableSpec

COUNTS = "struct<read:bigint,accepted:bigint,unchanged:bigint,rejected:bigint,ignored:bigint,removed:bigint>"

STATISTICS = (
    Column("bit_depth", "int", "bits a sample as the file has them; null if it does not say"),
    Column("phash", "string", "perceptual hash of the upright picture, 16 hex digits; null if it was not decoded"),
    Column("brightness_p5", "double", "the brightness, 0 to 1, that 5 % of the pixels do not exceed"),
    Column("brightness_p99", "double", "the brightness, 0 to 1, that 99 % of the pixels do not exceed"),
    Column("contrast", "double", "standard deviation of the brightness, 0 to 1"),
    Column("entropy", "double", "entropy of the grey levels in bits, 0 to 8"),
    Column("sharpness", "double", "standard deviation of the Laplacian of a copy of 64 pixels, in grey levels"),
)
"""What a picture looks like, as the probe measured it; not part of any digest."""

UPLOADS = TableSpec(
    name="bronze.uploads",
    doc="One row a state of an upload: landed, then how it ended. The newest row of a sequence counts.",
    columns=(
        Column("dataset", "string", "dataset id"),
        Column("sequence", "bigint", "number of the delivery, rising per dataset; also its build number"),
        Column("upload_id", "string", "sha256 of the sorted list of path and content hash"),
        Column("state", "string", "landed; then built, unchanged, superseded, rejected or failed"),
        Column("attempt_id", "string", "the ingest attempt whose rows in bronze.files count"),
        Column("mode", "string", "append, update, replace, remove"),
        Column("requested_format", "string", "what --format asked for, if anything"),
        Column("format", "string", "the reader that was chosen"),
        Column(
            "detection",
            "string",
            "JSON: every reader's score and what it lacked; labels that none reads; wrapper folder",
        ),
        Column("source", "string", "URI the upload came from"),
        Column("source_stamp", "string", "size and mtime, or etag, of the source when it is one file"),
        Column("dropped_at", "timestamp", "when its marker got under landing/; null for what came another way"),
        Column(
            "kept_uri", "string", "where its archive was kept when it came, relative to the lake; null for loose files"
        ),
        Column("bytes", "bigint", "size of the upload in bytes"),
        Column("files", COUNTS, "file counts"),
        Column("images", COUNTS, "image counts"),
        Column("annotations", COUNTS, "annotation counts"),
        Column("rejections", "bigint", "rows written to silver.rejections by this delivery"),
        Column("warnings", "string", "JSON object: rule id to count"),
        Column("supersedes", "array<string>", "uploads whose bytes or labels it changed or dropped"),
        Column("confirms", "array<string>", "uploads whose rows it brought once more, unchanged"),
        Column("note", "string", "free text of the uploader"),
        Column("problem", "string", "why it was rejected, failed or is superseded; or what of it was not read"),
        Column("problem_rule", "string", "the rule that rejected it"),
        Column("reader_version", "int", "version of the format reader"),
        Column("rules_version", "int", "version of the row rules"),
        Column("run_id", "string", "the run that wrote this row"),
        Column("at", "timestamp", "when this state was reached"),
        Column("settings", "string", "JSON: the dataset settings it was built with"),
        Column("infos", "string", "JSON object: rule id to count, of rules that are merely noted"),
        Column("again", "boolean", "whether it was asked for once more although newer uploads changed what it brings"),
    ),
    key=("dataset", "sequence", "state"),
    stats=("sequence", "upload_id", "state", "at"),
)

FILES = TableSpec(
    name="bronze.files",
    doc="One row a member of an upload attempt; only the attempt an upload row names counts.",
    columns=(
        Column("dataset", "string", "dataset id"),
        Column("attempt_id", "string", "the ingest attempt"),
        Column("path", "string", "path inside the upload, wrapper folder stripped, NFC, /"),
        Column("role", "string", "image, annotation, meta, mask, ignored, unknown; removed: a key that remove took"),
        Column("content_hash", "string", "sha256 of the bytes, hex; null for ignored members"),
        Column("length", "bigint", "size in bytes"),
        Column("crc32", "bigint", "CRC-32 of the bytes"),
        Column("media_type", "string", "by magic bytes"),
        Column("width", "int", "raw width in pixels"),
        Column("height", "int", "raw height in pixels"),
        Column("mode", "string", "Pillow mode"),
        Column("orientation", "int", "EXIF orientation 1 to 8; 1 when absent or invalid"),
        Column("frames", "int", "number of frames"),
        *STATISTICS,
        Column("problem_rule", "string", "the rule the bytes break, if any"),
        Column("problem", "string", "its message"),
        Column("source", "string", "URI of the source file; null for members of an archive"),
        Column("source_mtime_ns", "bigint", "mtime of the source file; null when too recent to be trusted"),
        Column("source_etag", "string", "etag of the source object"),
    ),
    key=("dataset", "attempt_id", "path"),
    stats=("attempt_id", "path"),
)

BLOBS = TableSpec(
    name="bronze.blobs",
    doc="Content hash to place. A blob may have several places; the only table that knows where bytes are.",
    columns=(
        Column("dataset", "string", "the dataset this row was written for; bytes are shared by all"),
        Column("content_hash", "string", "sha256 of the uncompressed bytes, hex"),
        Column("uri", "string", "relative to the lake"),
        Column("offset", "bigint", "first byte of the member's data in that object"),
        Column("length", "bigint", "number of bytes stored there"),
        Column("size", "bigint", "number of bytes after decoding"),
        Column("codec", "string", "stored or deflate"),
        Column("crc32", "bigint", "CRC-32 of the decoded bytes"),
        Column("state", "string", "live or ended"),
        Column("attempt_id", "string", "the attempt that wrote this row"),
        Column("at", "timestamp", "when"),
    ),
    stats=("content_hash",),
)
