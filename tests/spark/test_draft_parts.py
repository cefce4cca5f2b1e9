"""Builds and publishes that look only at the part of a draft that may have changed do what those of whole drafts do."""

from __future__ import annotations

import pytest
from tests.spark import helpers
from tests.spark.drafts import boxes, coco, open_rules
from tests.spark.test_label_folds import *  # noqa: F403
from tests.spark.test_modes import *  # noqa: F403
from tests.spark.test_publish import *  # noqa: F403
from tests.spark.test_remove import *  # noqa: F403
from tests.spark.test_units import *  # noqa: F403

from imagelake.gold.drafts import draft
from imagelake.silver import draft_source

pytestmark = pytest.mark.nightly


@pytest.fixture(autouse=True)
def _drafts_are_large(monkeypatch):
    monkeypatch.setattr(draft_source, "FEW_DRAFT_ROWS", 0)
    monkeypatch.setattr(draft, "FEW_DRAFT_ROWS", 0)


def test_labels_enter_by_any_name_that_their_record_has(spark, tmp_path):
    ctx = helpers.context(spark, tmp_path / "lake")
    first = {"other.jpg": helpers.picture(9), "val/labels.json": coco({"a.jpg": 5})}
    helpers.into_draft(ctx, "pets", helpers.write_zip(tmp_path / "a.zip", first))
    assert open_rules(ctx)["image.file_missing"] == 1
    helpers.into_draft(ctx, "pets", helpers.write_zip(tmp_path / "b.zip", {"val/a.jpg": helpers.picture(1)}))
    assert (boxes(ctx), open_rules(ctx)) == ({"a.jpg": [5.0]}, {})
