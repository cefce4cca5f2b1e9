"""Rules on drafts and versions as a whole."""

from __future__ import annotations

from imagelake.quality.catalogue.rule import Rule, judgements, statements

DATASETS: tuple[Rule, ...] = (
    *statements(
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
    *judgements(
        "dataset",
        "warn",
        (
            "dataset.class_imbalance",
            "the largest class has more than statistics.max_class_imbalance times the smallest",
        ),
        ("dataset.class_scarce", "a class of the training index has fewer than statistics.min_class_annotations"),
        ("dataset.classes_changed", "classes have come or gone since the parent version"),
        ("dataset.split_coverage", "a split lacks a class that has at least as many images as there are splits"),
        ("dataset.near_duplicates_across", "images that look alike lie in different splits"),
    ),
    *judgements(
        "dataset",
        "info",
        ("dataset.split_shift", "the share of a split is more than statistics.max_split_shift from its recipe's"),
        (
            "dataset.drift",
            "more than statistics.max_drift of the annotations have moved between classes since the parent",
        ),
        ("dataset.size_outliers", "boxes with a side 5 standard deviations from the mean of their class"),
        (
            "dataset.crowded_images",
            "labelled images whose number of annotations is 5 standard deviations from the mean",
        ),
        ("dataset.odd_sizes", "images whose size is 3 distances between the quartiles outside them"),
        ("dataset.near_duplicates", "images that look like another one"),
    ),
)
