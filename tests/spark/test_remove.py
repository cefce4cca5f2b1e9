"""What remove does with keys that the draft does not have, and with none at all."""

from __future__ import annotations

import pytest
from tests.spark import helpers

from imagelake.errors import NotFound
from imagelake.runs import pipeline


def test_keys_that_the_draft_lacks_refuse_a_removal_or_are_skipped_and_counted(spark, tmp_path):
    begun = helpers.begun(spark, tmp_path / "lake")
    keys = ["p000.jpg", *(f"none{i:02d}.jpg" for i in range(12))]
    before = helpers.versions(begun)
    with pytest.raises(
        NotFound, match=r"12 of 13 keys .* draft of pets: 'none00.jpg', .*'none09.jpg' and 2 more$"
    ) as e:
        pipeline.remove_images(helpers.again(begun), "pets", keys)
    assert "--ignore-missing" in str(e.value.hint)
    nothing = pipeline.remove_images(helpers.again(begun), "pets", [])
    assert (nothing.status, nothing.exit_code, nothing.warnings) == ("unchanged", 0, {})
    assert nothing.notices == ("no image of the draft is selected: nothing is removed",)
    missing = pipeline.remove_images(helpers.again(begun), "pets", keys[1:], ignore_missing=True)
    assert (missing.status, missing.warnings) == ("unchanged", {"remove.missing": 12})
    assert helpers.versions(begun) == before, "nothing is written"
    some = pipeline.remove_images(helpers.again(begun), "pets", keys, ignore_missing=True)
    assert (some.status, some.images.removed, some.warnings) == ("accepted", 1, {"remove.missing": 12})
    assert some.notices == ("12 of 13 keys are not in the draft and were skipped",)
