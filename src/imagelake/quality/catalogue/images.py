"""Rules on images: their bytes, their entries in documents, their splits."""

from __future__ import annotations

from imagelake.quality.catalogue.rule import MIN_SIDE, Rule, facts, judgements, refusals

IMAGES: tuple[Rule, ...] = (
    *refusals(
        "image",
        ("image.empty", "it is named like an image and holds no bytes"),
        ("image.unreadable", "it cannot be decoded, or is not an image at all"),
        ("image.unsupported_format", "a picture of a kind that is not read; the message says which, and what to do"),
        ("image.too_large", "more pixels than ingest.max_pixels, or more memory than ingest.probe_memory_mb"),
        ("image.too_many_frames", "more frames than ingest.max_frames"),
        ("image.multi_frame", "an animation or several pages; of an MPO JPEG the first picture counts"),
        ("image.probe_timeout", "decoding took longer than ingest.probe_seconds"),
        ("image.probe_crashed", "decoding ended its process twice"),
        ("image.row_malformed", "the image's entry in the document is not a readable object"),
        ("image.id_invalid", "the image's id is neither a whole number nor a text"),
        ("image.duplicate_id", "several images of the document have this id"),
        ("image.file_name_missing", "the image names no file"),
        (
            "image.path_hostile",
            "the file name is a URL, reaches outside the upload with `..`, or holds control characters; an absolute "
            "path is matched without its root",
        ),
        ("image.key_taken", "other bytes under a key that exists; use --mode update"),
        ("image.file_missing", "a document lists a file that has not arrived; its labels wait for it"),
        ("image.ambiguous", "several images fit the listed file name"),
        ("image.duplicate_file_name", "one document lists the file under several ids"),
        ("split.member_unknown", "a split list names an image that is neither in the upload nor in the draft"),
        ("split.member_ambiguous", "several images fit a name in a split list"),
        ("split.member_malformed", "an entry of a split list is not the name of an image"),
    ),
    *facts(
        "image",
        "warn",
        ("image.labels_dropped", "its bytes changed to another size or orientation; labels of the old bytes went"),
        (
            "image.labels_rejected",
            "its newest labels of a kind were refused; the older ones stay until they are mended",
        ),
        ("image.bytes_changed", "its bytes changed and labels of the old bytes, of the same size, stayed"),
    ),
    *judgements(
        "image",
        "warn",
        ("image.id_coerced", "the id was not written as a whole number"),
        ("image.backslash", "the file name was written with backslashes"),
        ("image.size_invalid", "the declared width or height is not a whole number and counts as not given"),
        ("image.value_not_finite", "an attribute held a number JSON cannot hold; it became null"),
        ("image.matched_by_name", "its labels found it by the base name alone, which is unique"),
        ("image.duplicate_bytes", "byte-identical to another image of the dataset"),
        ("image.renamed", "the bytes arrived earlier under another key"),
        ("image.size_swapped", "declared width and height are swapped"),
        ("image.size_mismatch", "the declared size is not the file's"),
        ("image.split_conflict", "the upload puts it, or its bytes, into several splits"),
        ("image.unlisted", "no document lists the file; kept as unlabelled, refused with unlisted_images: reject"),
        ("image.small", f"a side is shorter than {MIN_SIDE} pixels"),
        ("image.suffix", "the file's suffix disagrees with its content"),
        ("image.mode", "the pixel mode is neither RGB nor L"),
        ("image.rotated", "EXIF orientation is not 1: shown and raw pixels differ"),
    ),
    *judgements("image", "info", ("image.name_not_ascii", "its path holds other characters than those of ASCII")),
)
