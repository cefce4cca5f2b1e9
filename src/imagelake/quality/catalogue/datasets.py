"""Rules on drafts and versions as a whole."""

from __future__ import annotations

from imagelake.quality.catalogue.rule import Rule, facts

DATASETS: tuple[Rule, ...] = (
    *facts(
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
