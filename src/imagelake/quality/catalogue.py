"""The one list of rules: every id imagelake can report, with its entity, severity and meaning. Needs no Spark."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pyspark.sql import Column


Entity = Literal["upload", "file", "image", "annotation", "category", "dataset"]

FAR = 10
"""Coordinates may lie outside the image by this many times its larger side before they are nonsense."""

MIN_SIDE = 10
"""Images with a shorter side are flagged: trainers of the YOLO family refuse them."""

DARK, BRIGHT = 0.32, 0.95
"""Brightness, 0 to 1, that the lightest pixels of a dark image stay below and the darkest of a bright one exceed."""

LOW_INFORMATION = 1.4
"""Bits of the grey levels: cleanvision's bound, less what it counts for having three equal channels (log2 3)."""

BLURRY = 0.3
"""Sharpness as a share of contrast: a Gaussian blur by 2 % of the longer side falls below it, photographs do not."""

ODD_ASPECT = 0.35
"""Shorter side as a share of the longer one."""

WAITING = ("image.file_missing", "annotation.image_unknown")
"""Rules whose rejections end by themselves: their records enter when the image arrives."""


@dataclass(frozen=True)
class Rule:
    """A check: its id, what it judges, the default severity (reject or warn) and the meaning of a breach.

    No dataset can override a `fixed` rule. `message` makes the column that is null for a good row and says what is
    wrong with a bad one: only the rules that Spark judges row by row have it (quality.rules), none in RULES.
    """

    id: str
    entity: Entity
    severity: str
    doc: str
    fixed: bool = False
    message: Callable[[], Column] | None = None


def _fixed(entity: Entity, severity: str, *entries: tuple[str, str]) -> tuple[Rule, ...]:
    return tuple(Rule(rule_id, entity, severity, doc, fixed=True) for rule_id, doc in entries)


def _overridable(entity: Entity, severity: str, *entries: tuple[str, str]) -> tuple[Rule, ...]:
    return tuple(Rule(rule_id, entity, severity, doc) for rule_id, doc in entries)


RULES: tuple[Rule, ...] = (
    *_fixed(
        "upload",
        "reject",
        ("format.unknown", "no format fits; name it with --format"),
        ("format.ambiguous", "several formats fit; name the one that counts with --format"),
        ("format.unusable", "nothing can be read as the format that --format names"),
        ("format.unsupported", "annotations of a kind no reader takes; --format images takes the images alone"),
        ("archive.not_a_zip", "not a zip file"),
        ("archive.truncated", "the zip ends early"),
        ("archive.empty", "the zip holds no files"),
        ("archive.two_ends", "the zip has two end records, and readers would differ in which one counts"),
        ("archive.trailing_data", "bytes follow the zip's end"),
        ("archive.prepended_data", "bytes precede the zip's first member"),
        ("archive.multi_disk", "the zip is one part of several"),
        ("archive.entry_count", "the directory does not hold as many entries as it says"),
        ("archive.zip64_inconsistent", "the zip64 fields contradict the zip's other fields"),
        ("archive.sizes", "a stored member declares two different sizes"),
        ("archive.overlap", "two members share bytes"),
        ("archive.encrypted", "a member is encrypted"),
        ("archive.method", "a member is packed with another method than stored and deflate"),
        ("archive.symlink", "a member is a link"),
        ("archive.device", "a member is a device, pipe or socket"),
        ("archive.ratio", "it would inflate to more than ingest.max_ratio times its size, or than deflate can hold"),
        ("archive.too_large", "it would inflate to more than ingest.max_total_bytes"),
        ("archive.too_many_entries", "more entries than ingest.max_entries"),
        ("archive.name_invalid", "a member's name is empty, too long, not Unicode, or holds control characters"),
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
        ("landing.options", "the `.ready` file beside an upload in landing/ is not JSON of the allowed options"),
        ("upload.nothing_usable", "no image of it can be read, and it has no annotation document"),
        ("upload.invalid", "any other reason, which the message names"),
    ),
    *_fixed(
        "upload",
        "warn",
        ("upload.labels_not_read", "some of its labels are of a kind no reader takes; the report names the files"),
    ),
    *_fixed(
        "file",
        "reject",
        ("file.corrupt", "the member's data or local header contradicts the zip's directory"),
        ("file.size_mismatch", "it does not hold as many bytes as declared or listed"),
        ("file.crc_mismatch", "its CRC-32 is not the declared one"),
        ("file.unreadable", "it cannot be opened or read"),
        ("file.changed", "it changed between hashing and storing; the run ends and can be repeated"),
        (
            "document.too_large",
            "the document is larger than its format allows; one beyond ingest.max_document_bytes refuses the upload",
        ),
        ("document.invalid_json", "the document is not JSON, or is cut off"),
        ("document.invalid_xml", "the document is not XML"),
        ("document.invalid_yaml", "the document is not YAML"),
        ("document.not_utf8", "the document is not UTF-8"),
        ("document.too_many_items", "the document holds more items than allowed"),
        ("document.too_deep", "the document is nested too deep"),
        ("document.wrong_shape", "the document is not built as its format asks"),
        ("document.xml_forbidden", "the document declares a DTD or entities"),
    ),
    *_fixed("file", "warn", ("file.mask", "a mask or visualisation, kept but not an image of the dataset")),
    *_fixed(
        "image",
        "reject",
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
    *_fixed(
        "image",
        "warn",
        ("image.id_coerced", "the id was not written as a whole number"),
        ("image.backslash", "the file name was written with backslashes"),
        ("image.size_invalid", "the declared width or height is not a whole number and counts as not given"),
        ("image.value_not_finite", "an attribute held a number JSON cannot hold; it became null"),
        ("image.matched_by_name", "its labels found it by the base name alone, which is unique"),
        ("image.labels_dropped", "its bytes changed to another size or orientation; labels of the old bytes went"),
        (
            "image.labels_rejected",
            "its newest labels of a kind were refused; the older ones stay until they are mended",
        ),
        ("image.bytes_changed", "its bytes changed and labels of the old bytes, of the same size, stayed"),
    ),
    *_overridable(
        "image",
        "warn",
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
        ("image.bit_depth", "more than 8 bits a sample; most loaders make 8 of them"),
        ("image.first_frame", "an MPO JPEG of several pictures, of which the first counts"),
    ),
    *_overridable(
        "image",
        "warn",
        ("image.dark", f"99 % of its pixels are darker than {DARK:g} of white"),
        ("image.bright", f"95 % of its pixels are brighter than {BRIGHT:g} of white"),
        ("image.blurry", f"its edges, seen at 64 pixels a side, are weaker than {BLURRY:g} of its contrast"),
        ("image.low_information", f"its grey levels hold less than {LOW_INFORMATION:g} bits, as of a blank picture"),
        ("image.odd_aspect", f"one side is less than {ODD_ASPECT:g} of the other"),
    ),
    *_fixed(
        "annotation",
        "reject",
        ("annotation.row_malformed", "not a readable object or line"),
        ("annotation.image_id_invalid", "names no image"),
        ("annotation.image_orphan", "names an image id its document does not list"),
        ("annotation.image_unknown", "its image has not arrived yet; it enters with the image"),
        ("annotation.image_ambiguous", "several images fit what it names"),
        ("annotation.image_rejected", "its image, or the image's row in its document, was rejected in this upload"),
        ("annotation.size_mismatch", "the declared image size is not the file's"),
        ("annotation.category_unknown", "names a category its upload does not declare"),
        ("annotation.bbox_invalid", "the box is not four numbers"),
        ("annotation.bbox_not_finite", "a number of the box is null, NaN or infinite"),
        ("annotation.box_degenerate", "a box side is zero or negative"),
        ("annotation.box_outside", "a box shares no pixel with its image"),
        ("annotation.polygon_invalid", "no part of the polygon is a list of at least three finite points"),
        ("annotation.rle_invalid", "the mask's run lengths cannot be read, or do not fill its size"),
    ),
    *_overridable(
        "annotation",
        "reject",
        ("annotation.bbox_missing", "a box, polygon or mask has no box and none could be derived"),
        ("annotation.polygon_out_of_bounds", f"a polygon coordinate lies further than {FAR} image sides away"),
        ("annotation.box_out_of_bounds", f"a box corner lies further than {FAR} image sides away"),
        ("annotation.rle_size", "a mask has another size than its image"),
    ),
    *_fixed(
        "annotation",
        "warn",
        ("annotation.id_coerced", "an id was not written as a whole number"),
        ("annotation.id_missing", "the annotation has no id"),
        ("annotation.id_duplicate", "an earlier annotation of the document has this id"),
        ("annotation.bbox_coerced", "a number of the box was written as text"),
        ("annotation.bbox_dropped", "the box could not be used; it was taken from polygon or mask"),
        ("annotation.bbox_derived", "no box was given; it was taken from polygon or mask"),
        ("annotation.polygon_part_dropped", "a part of the polygon is not a list of at least three finite points"),
        ("annotation.polygon_flat", "the polygon was one list of numbers instead of a list of parts"),
        ("annotation.area_invalid", "the area is not a finite number and counts as not given"),
        ("annotation.crowd_invalid", "the crowd mark is neither 0 nor 1 and counts as 0"),
        ("annotation.value_not_finite", "an attribute held a number JSON cannot hold; it became null"),
    ),
    *_overridable(
        "annotation",
        "warn",
        (
            "annotation.duplicate",
            "same image, kind, category and geometry as another; reject refuses all but the first of them",
        ),
        (
            "annotation.box_clipped",
            "a box reached outside its image and was cut to it; the upload's own numbers stay in bronze",
        ),
        (
            "annotation.box_space_assumed",
            "its image is turned (EXIF), and nothing says whether the box is of raw or of shown pixels; YOLO shares "
            "are taken as of the shown picture (dataset setting yolo_space)",
        ),
        ("annotation.box_tiny", "a box side is shorter than a pixel"),
        ("annotation.box_normalised", "all coordinates lie in 0..1 although they should be pixels"),
        ("annotation.area_above_box", "the given area is larger than the box"),
        ("annotation.area_recomputed", "the given area was not positive and has been computed from the box"),
    ),
    *_fixed(
        "category",
        "reject",
        ("category.row_malformed", "not a readable object"),
        ("category.id_invalid", "the category has no id"),
        ("category.name_missing", "the category has no name"),
        ("category.duplicate_id", "an earlier category has this id; the first one counts"),
    ),
    *_overridable(
        "category",
        "warn",
        ("category.root", "the parent of another category, without annotations; outside the training index"),
        ("category.similar_name", "differs from an earlier category only by case or spaces"),
    ),
    *_fixed(
        "dataset",
        "warn",
        (
            "split.contradicts",
            "an upload puts an image into another split than the published one, which stays; reported by that upload "
            "and by publish",
        ),
        ("publish.forced", "published with --force, although a threshold of the gate or a suite refused it"),
        ("split.moved", "byte-identical images were to lie in several splits; all were put into one"),
        ("split.settings_differ", "the dataset's split settings are not those of recipe 1, which continues"),
        ("split.group_missing", "images without the attribute that splits.group_by names; each is a group of its own"),
        ("split.groups_joined", "groups that share byte-identical images became one"),
    ),
)

BY_ID: Mapping[str, Rule] = MappingProxyType({rule.id: rule for rule in RULES})
