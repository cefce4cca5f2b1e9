"""The thresholds of a gate: which measure each is about, and what it allows. One source for every judge of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from imagelake.config.dataset_settings import GateSettings
from imagelake.core.wording import listed
from imagelake.quality.measures import Measures, UploadRows, share
from imagelake.quality.severities import rule_named

_SHORT_ID = 8


@dataclass(frozen=True)
class Threshold:
    """What a setting allows of a measure: at least `least`, at most `most`. `said` is the breach in words.

    A value that is no number holds no threshold. `rule` is the rule that a breach breaks, if there is one, `severity`
    what it comes to: only `reject` shuts the gate.
    """

    measure: str
    value: float
    setting: str
    said: str
    least: float | None = None
    most: float | None = None
    rule: str | None = None
    severity: str = "reject"
    block: str = "gate"

    @property
    def path(self) -> str:
        """The setting as it stands in the dataset's settings: `gate.min_images`."""
        return f"{self.block}.{self.setting}"

    @property
    def holds(self) -> bool:
        """Whether the measure is allowed."""
        above = self.least is None or self.value >= self.least
        below = self.most is None or self.value <= self.most
        return above and below and not math.isnan(self.value)

    @property
    def breach(self) -> str:
        """The sentence that says what is wrong and which setting asks for it."""
        if math.isnan(self.value):
            return f"{self.measure} is not a number, {self.path} cannot be judged"
        return self.said


def thresholds(measures: Measures, gate: GateSettings) -> tuple[Threshold, ...]:
    """Every threshold of a dataset's gate with the measure of its draft, in the order breaches are told.

    ConfigError for a rule that does not exist.
    """
    return (*_whole(measures, gate), *_classes(measures, gate), *_rules(measures, gate), *_uploads(measures, gate))


def _whole(m: Measures, gate: GateSettings) -> Iterator[Threshold]:
    asked = f"{m.images} images accepted, gate.min_images asks for {gate.min_images}"
    yield Threshold("images", m.images, "min_images", asked, least=gate.min_images)
    yield _rejected("rejected_share", m.rejected, m.rows, "rows", gate.max_rejected_share)
    of_images, of_annotations = gate.max_rejected_images_share, gate.max_rejected_annotations_share
    yield _rejected("rejected_images_share", m.rejected_images, m.images + m.rejected_images, "images", of_images)
    total = m.annotations + m.rejected_annotations
    yield _rejected("rejected_annotations_share", m.rejected_annotations, total, "annotations", of_annotations)
    bare = m.images - m.annotated
    yield _share(
        "unannotated_images_share", bare, m.images, "images without annotations", gate.max_unannotated_images_share
    )


def _classes(m: Measures, gate: GateSettings) -> Iterator[Threshold]:
    for name, classes, most in (
        ("new_classes", m.new_classes, gate.max_new_classes),
        ("vanished_classes", m.vanished_classes, gate.max_vanished_classes),
    ):
        if most is not None:
            words = name.replace("_", " ")
            said = f"{len(classes)} {words} ({listed(classes)}), gate.max_{name} allows {most}"
            yield Threshold(name, len(classes), f"max_{name}", said, most=most)


def _rules(m: Measures, gate: GateSettings) -> Iterator[Threshold]:
    for rule, allowed in sorted(gate.rules.items()):
        rule_named("gate.rules", rule)
        count = m.rules.get(rule, 0)
        if allowed.max_count is not None:
            said = f"{count} rows break {rule}, gate.rules allows {allowed.max_count}"
            yield Threshold(f"rule:{rule}", count, f"rules.{rule}.max_count", said, most=allowed.max_count)
        if allowed.max_share is not None:
            setting = f"rules.{rule}.max_share"
            said = f"{_of(count, m.rows, f'rows break {rule}')}, gate.rules allows {allowed.max_share:.1%}"
            yield Threshold(f"rule_share:{rule}", share(count, m.rows), setting, said, most=allowed.max_share)


def _uploads(m: Measures, gate: GateSettings) -> Iterator[Threshold]:
    most = gate.max_rejected_upload_share
    for upload in m.uploads:
        yield Threshold(
            f"rejected_upload_share:{upload.upload_id}",
            upload.share,
            "max_rejected_upload_share",
            f"{_numbers_of(upload)}, gate.max_rejected_upload_share allows {most:.1%}",
            most=most,
        )


def _numbers_of(upload: UploadRows) -> str:
    numbers = _of(upload.rejected, max(upload.read, upload.rejected), "annotations rejected")
    return f"upload {upload.upload_id[:_SHORT_ID]} ({upload.source}): {numbers}"


def _rejected(measure: str, part: int, whole: int, rows: str, most: float) -> Threshold:
    return _share(measure, part, whole, f"{rows} rejected", most)


def _share(measure: str, part: int, whole: int, what: str, most: float) -> Threshold:
    setting = f"max_{measure}"
    said = f"{_of(part, whole, what)}, gate.{setting} allows {most:.1%}"
    return Threshold(measure, share(part, whole), setting, said, most=most)


def _of(part: int, whole: int, what: str) -> str:
    return f"{part} of {whole} {what} ({share(part, whole):.1%})"
