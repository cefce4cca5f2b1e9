"""Rules no dataset can override: what refuses an upload, what rejects one of its files, what publish reports."""

from __future__ import annotations

UPLOAD_RULES: tuple[tuple[str, str], ...] = (
    ("format.unknown", "no format fits; name it with --format"),
    ("format.ambiguous", "several formats fit; name the one that counts with --format"),
    ("format.unusable", "nothing can be read as the format that --format names"),
    ("format.unsupported", "annotations of a kind no reader takes; --format images takes the images alone"),
    ("archive.not_a_zip", "the file is no zip"),
    ("archive.truncated", "the zip ends early"),
    ("archive.empty", "the zip holds no files"),
    ("archive.two_ends", "the zip has two end records, and readers would differ in which one counts"),
    ("archive.trailing_data", "bytes follow the zip's end"),
    ("archive.prepended_data", "bytes precede the zip's first member"),
    ("archive.multi_disk", "the zip is one part of several"),
    ("archive.entry_count", "the directory does not hold as many entries as it says"),
    ("archive.sizes", "a stored member declares two different sizes"),
    ("archive.overlap", "two members share bytes"),
    ("archive.encrypted", "a member is encrypted"),
    ("archive.method", "a member is packed with another method than stored and deflate"),
    ("archive.symlink", "a member is a link"),
    ("archive.device", "a member is a device, pipe or socket"),
    ("archive.ratio", "it would inflate to more than ingest.max_ratio times its size, or than deflate can hold"),
    ("archive.too_large", "it would inflate to more than ingest.max_total_bytes"),
    ("archive.too_many_entries", "more entries than ingest.max_entries"),
    ("archive.name_invalid", "a member's name is empty, too long, no Unicode, or holds control characters"),
    ("archive.path_escape", "a member's name is absolute, has a drive, a backslash or `..`"),
    ("archive.duplicate_name", "two members have one name, or a file is a folder of another"),
    ("archive.case_collision", "two names differ only in case or Unicode form"),
    ("folder.empty", "the folder holds no files"),
    ("folder.unreadable", "a folder cannot be listed"),
    ("folder.too_large", "more files than ingest.max_entries or bytes than ingest.max_total_bytes"),
    ("folder.name_invalid", "as archive.name_invalid"),
    ("folder.path_escape", "as archive.path_escape"),
    ("folder.duplicate_name", "as archive.duplicate_name"),
    ("folder.case_collision", "as archive.case_collision"),
    ("file.name_invalid", "as archive.name_invalid, for a single document"),
    ("file.path_escape", "as archive.path_escape, for a single document"),
    ("document.too_large", "an annotation document is larger than ingest.max_document_bytes"),
    ("landing.options", "the `.ready` file beside an upload in landing/ is no JSON of the known options"),
    ("upload.invalid", "any other reason, which the message names"),
)

FILE_RULES: tuple[tuple[str, str], ...] = (
    ("file.corrupt", "the member's data or local header contradicts the zip's directory"),
    ("file.size_mismatch", "it does not hold as many bytes as declared or listed"),
    ("file.crc_mismatch", "its CRC-32 is not the declared one"),
    ("file.unreadable", "it cannot be opened or read"),
    ("file.changed", "it changed between hashing and keeping it; the run ends and can be repeated"),
    ("image.empty", "it is named like an image and holds no bytes"),
    ("image.unreadable", "it cannot be decoded, or is no image at all"),
    ("image.too_large", "more pixels than ingest.max_pixels, or more memory than ingest.probe_memory_mb"),
    ("image.too_many_frames", "more frames than ingest.max_frames"),
    ("image.multi_frame", "an animation or several pages"),
    ("image.probe_timeout", "decoding took longer than ingest.probe_seconds"),
    ("image.probe_crashed", "decoding ended its process twice"),
)

PUBLISH_RULES: tuple[tuple[str, str], ...] = (
    ("split.contradicts", "an upload puts an image that has a split into another; the image stays where it is"),
    ("split.moved", "byte-identical images were to lie in several splits; all were put into one"),
)
