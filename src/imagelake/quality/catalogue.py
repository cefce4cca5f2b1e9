"""Every rule id imagelake can report, with its default severity and whether a dataset may change that."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from imagelake.dataset_settings import DatasetSettings
from imagelake.errors import ConfigError
from imagelake.quality.rules import ANNOTATION_RULES, IMAGE_RULES


@dataclass(frozen=True)
class Rule:
    """A rule: id, default severity, meaning. A `fixed` one cannot be overridden: without it a row has no meaning."""

    id: str
    severity: str
    doc: str
    fixed: bool = False


RELATION_RULES: tuple[Rule, ...] = (
    Rule("annotation.image_orphan", "reject", "names an image id its document does not list", fixed=True),
    Rule("annotation.image_unknown", "reject", "its image has not arrived yet; it enters with the image", fixed=True),
    Rule("annotation.image_ambiguous", "reject", "several images fit its file name", fixed=True),
    Rule("annotation.image_rejected", "reject", "its image was rejected in this upload", fixed=True),
    Rule("annotation.size_mismatch", "reject", "the declared image size is not the file's", fixed=True),
    Rule("annotation.category_unknown", "reject", "names a category its document does not declare", fixed=True),
    Rule("annotation.duplicate", "warn", "same image, category and geometry as another annotation"),
    Rule("image.key_taken", "reject", "other bytes under a key that exists; use --mode update", fixed=True),
    Rule("image.file_missing", "reject", "a document lists a file that is not there", fixed=True),
    Rule("image.ambiguous", "reject", "several images fit the listed file name", fixed=True),
    Rule("image.duplicate_file_name", "reject", "one document lists the file under several ids", fixed=True),
    Rule("image.duplicate_bytes", "warn", "byte-identical to another image of the dataset"),
    Rule("image.renamed", "warn", "the bytes were known under another key"),
    Rule("image.size_swapped", "warn", "declared width and height are swapped"),
    Rule("image.size_mismatch", "warn", "the declared size is not the file's"),
    Rule("image.split_conflict", "warn", "the upload puts it, or its bytes, into several splits"),
    Rule("image.unlisted", "warn", "no document lists the file; kept as unlabelled"),
    Rule("category.root", "warn", "a parent that owns no annotation; outside the training index"),
    Rule("category.similar_name", "warn", "differs from another category only by case or spaces"),
)

_ROW_RULES = tuple(Rule(r.id, r.severity, r.doc) for r in (*IMAGE_RULES, *ANNOTATION_RULES))

RULES: tuple[Rule, ...] = (*RELATION_RULES, *_ROW_RULES)


def severities(settings: DatasetSettings) -> dict[str, str]:
    """Severity by rule id, the dataset's overrides applied; ConfigError for an unknown or fixed rule."""
    known = {rule.id: rule for rule in RULES}
    for rule_id in settings.severities:
        rule = known.get(rule_id)
        if rule is None:
            near = difflib.get_close_matches(rule_id, known, n=1)
            hint = f"did you mean {near[0]}?" if near else "docs/checks.md lists all rules"
            raise ConfigError(f"severities: unknown rule {rule_id}", hint=hint)
        if rule.fixed:
            raise ConfigError(f"severities: {rule_id} is always {rule.severity}; {rule.doc}")
    return {rule.id: settings.severities.get(rule.id, rule.severity) for rule in RULES}
