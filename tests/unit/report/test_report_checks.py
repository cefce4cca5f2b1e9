"""Every rule that fires is on the page: the table, rows that were refused, pictures of rows that were flagged."""

from __future__ import annotations

import json

import pytest
from html_of import Element, read
from lakes_of_pictures import SCRIPT, picture

from imagelake.client import lake
from imagelake.client.lake import Lake
from imagelake.quality.catalogue import BY_ID, RULES
from lakes import LakeMaker


def table(page: Element) -> dict[str, list[str]]:
    """Rule to the other cells of its row: severity, refused, images, annotations, meaning."""
    cells = [
        [c.text for c in row.children if c.tag in ("td", "th")] for row in page.one("section", id="checks").all("tr")
    ]
    return {row[0]: row[1:] for row in cells[1:]}


def lake_of(maker: LakeMaker) -> Lake:
    maker.deliver("pets")
    maker.flush()
    return lake.open(str(maker.root))


def test_any_rule_of_the_catalogue_appears_when_it_fires(maker: LakeMaker) -> None:
    """Whatever the catalogue has: rules that refuse as rejections, all others as flags of images or annotations."""
    data = picture((1, 2, 3))
    flags = {entity: sorted(r.id for r in RULES if r.severity != "reject" and r.entity == entity) for entity in (
        "image", "annotation")}  # fmt: skip
    maker.image("pets", "a.png", data, width=64, height=48, flags=flags["image"])
    maker.box("pets", "a.png", "cat", (1, 2, 30, 20), flags=flags["annotation"])
    maker.keep("pets", [data])
    refusing = [r for r in RULES if r.severity == "reject" and r.entity != "upload"]
    for rule in refusing:
        maker.reject("pets", rule.id, entity=rule.entity, image_key="a.png", path="x.json")
    page = read(lake_of(maker).report("pets@draft").html)
    shown = table(page)
    assert set(shown) == {*flags["image"], *flags["annotation"], *(r.id for r in refusing)}
    for rule, cells in shown.items():
        assert cells[-1] == " ".join(BY_ID[rule].doc.split())
        assert cells[1:4].count("1") == 1
    assert all(shown[r.id][0] == "reject" for r in refusing)


def test_severities_and_rules_of_tomorrow_need_no_code(maker: LakeMaker) -> None:
    data = picture((1, 2, 3))
    maker.image("pets", "a.png", data, width=64, height=48, flags=["image.of_tomorrow", SCRIPT])
    maker.keep("pets", [data])
    maker.reject("pets", "image.other", entity="image", image_key="b.png", path="b.png", severity="quarantine")
    maker.reject("pets", "image.other", entity="image", image_key="c.png", path="c.png", severity="reject")
    shown = table(read(lake_of(maker).report("pets@draft").html))
    unknown = "a rule that this program does not know"
    assert shown == {
        "image.other": ["quarantine, reject", "2", "0", "0", unknown],
        "image.of_tomorrow": ["warn", "0", "1", "0", unknown],
        SCRIPT: ["warn", "0", "1", "0", unknown],
    }


@pytest.mark.parametrize(("override", "severity"), [("info", "info"), ("warn", "warn"), ("off", "warn")])
def test_a_version_has_the_severities_of_its_own_settings(maker: LakeMaker, override: str, severity: str) -> None:
    maker.image("pets", "a.png", picture((1, 2, 3)), width=64, height=48, flags=["image.mode"])
    maker.deliver("pets")
    maker.publish("pets", settings=json.dumps({"severities": {"image.mode": override}}))
    maker.flush()
    assert table(read(lake.open(str(maker.root)).report("pets@v1").html))["image.mode"][0] == severity


def test_flagged_annotations_are_drawn_strongly_and_all_others_thinly(maker: LakeMaker) -> None:
    data = picture((1, 2, 3))
    maker.image("pets", "a.png", data, width=64, height=48)
    maker.image("pets", "b.png", picture((3, 2, 1)), width=64, height=48, flags=["image.suffix"])
    maker.box("pets", "a.png", "cat", (1, 2, 30, 20), flags=["annotation.box_clipped"])
    maker.box("pets", "a.png", "cat", (9, 2, 30, 20), flags=["annotation.box_tiny"])
    maker.box("pets", "a.png", "dog", (5, 2, 30, 20))
    maker.keep("pets", [data, picture((3, 2, 1))])
    section = read(lake_of(maker).report("pets@draft").html).one("section", id="flagged")
    titles = [h.text for h in section.all("h3")]
    assert titles == ["annotation.box_clipped 1 annotation", "annotation.box_tiny 1 annotation", "image.suffix 1 image"]
    clipped, tiny, suffix = section.all("figure")
    for figure, x in ((clipped, 1), (tiny, 9)):
        (flagged,) = figure.all("path", class_="flagged")
        assert flagged.attributes["d"].startswith(f"M{x}.0 2.0")
        assert len(figure.all("path", class_="other")) == 2
        assert figure.one(class_="remark").text == "1 of its 3 annotations"
    assert suffix.one(class_="name").text == "b.png"
    assert suffix.one(class_="remark").text == "the image, 64 by 48 pixels"


def test_a_flag_is_drawn_even_in_a_crowd(maker: LakeMaker) -> None:
    data = picture((1, 2, 3))
    maker.image("pets", "a.png", data, width=64, height=48)
    for n in range(300):
        maker.box("pets", "a.png", "cat", (n % 60, n // 60, 3, 3), flags=["annotation.box_clipped"])
    maker.box("pets", "a.png", "cat", (7, 40, 3, 3), flags=["annotation.duplicate"])
    maker.keep("pets", [data])
    section = read(lake_of(maker).report("pets@draft").html).one("section", id="flagged")
    crowd, rare = section.all("figure")
    assert len(crowd.all("path", class_="flagged")) == 99
    assert [p.attributes["d"][:10] for p in rare.all("path", class_="flagged")] == ["M7.0 40.0h"]


def test_few_pictures_of_many_flags(maker: LakeMaker) -> None:
    datas = [picture((n, 1, 1)) for n in range(30)]
    for n, data in enumerate(datas):
        maker.image("pets", f"{n}.png", data, width=64, height=48, flags=[f"image.rule_{r}" for r in range(30)])
    maker.keep("pets", datas)
    section = read(lake_of(maker).report("pets@draft").html).one("section", id="flagged")
    assert (len(section.all("h3")), len(section.all("figure"))) == (24, 48)
    assert "6 more rules flagged fewer rows" in section.text
