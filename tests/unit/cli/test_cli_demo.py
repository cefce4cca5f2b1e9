from __future__ import annotations

from dataclasses import replace

import pytest

from imagelake.demo.script import dataset_of

IMAGE = {"image_key": "a.jpg", "content_hash": "ab" * 32, "width": 64, "height": 48}
DIFF = {
    "from": "shapes@v1",
    "to": "shapes@v2",
    "images": {"added": 5, "removed": 1, "changed": 0, "renamed": 0},
    "annotations": {"added": 14, "removed": 3, "changed": 1},
    "splits": {"test": {"added": 1, "removed": 1, "moved_in": 0, "moved_out": 0}},
    "categories": {"added": [], "removed": []},
    "rows": [
        {"entity": "image", "change": "added", "what": [], "image_key": f"{i}.jpg", "before": None, "after": IMAGE}
        for i in range(9)
    ]
    + [{"entity": "category", "change": "changed", "what": [], "image_key": None, "before": {"n": "a"}, "after": None}],
}


@pytest.fixture
def answers(client, monkeypatch):
    client.answers |= {"diff": DIFF, "sql": {"columns": ["category", "objects"], "rows": [["circle", 60]]}}
    client.answers["show"] = {
        "version": "up@v1",
        "images": 3,
        "splits": {},
        "categories": [],
        "quality": None,
        "versions": [],
        "latest": None,
    }
    for upload in ("first_upload", "second_upload"):
        monkeypatch.setattr(f"imagelake.demo.sample_dataset.{upload}", lambda folder: folder / "shapes.zip")
    return client


def test_the_demo_tells_its_way_step_by_step(cli, engine, answers) -> None:
    done = cli("demo")
    assert done.code == 0
    titles = [line for line in done.out.splitlines() if line.startswith("── ")]
    assert len(titles) == 7
    assert "test: +1 −1 images" in done.out
    assert "circle" in done.out
    assert "and 4 more: imagelake diff shapes@v1 shapes@v2 --rows" in done.out
    assert done.out.index("category") < done.out.index("0.jpg")
    assert not [line for line in done.out.splitlines() if line.endswith(" ")]
    assert done.out.index("Try next") > done.out.index("circle")
    assert engine.runs == [{"lake": "./lake", "verb": "demo", "dataset": "shapes", "create": True}]
    assert len(engine.reports) == 4


def test_the_demo_is_one_document(cli, engine, answers) -> None:
    document = cli("demo", "--json").document
    kinds = [step["kind"] for step in document["steps"]]
    assert kinds == ["run", "run", "run", "run", "diff", "rejections", "sql"]
    assert (document["dataset"], document["changed"]) == ("shapes", True)
    assert document["steps"][4]["answer"] == DIFF


def test_a_demo_that_finds_everything_done_says_so(cli, engine, answers) -> None:
    engine.report, engine.batch = replace(engine.report, status="unchanged", published=False), ()
    assert "Nothing changed" in cli("demo").out
    assert cli("demo", "--json").document["changed"] is False


def test_the_demo_takes_an_upload_of_ones_own(cli, engine, answers, tmp_path) -> None:
    upload = tmp_path / "My Pets (2).zip"
    upload.write_bytes(b"PK")
    done = cli("demo", str(upload))
    assert done.code == 0
    assert engine.runs[0]["dataset"] == "my-pets-2"
    assert "shapes" not in done.out


def test_a_refused_upload_ends_the_demo_with_its_code(cli, engine, answers, tmp_path) -> None:
    upload = tmp_path / "x.zip"
    upload.write_bytes(b"no zip")
    engine.report = replace(
        engine.report, status="rejected", version=None, published=False, problem="no zip", exit_code=3
    )
    done = cli("demo", str(upload))
    assert done.code == 3
    assert done.err.endswith("error: no zip\n")
    assert "Nothing changed" not in done.out


def test_a_demo_of_nothing_is_not_found(cli, engine) -> None:
    assert cli("demo", "/no/such.zip").code == 6
    assert engine.runs == []


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("Pets.zip", "pets"), ("a b__c.tar.zip", "a-b-c-tar"), ("äöü.zip", "upload"), ("x" * 80, "x" * 63)],
)
def test_a_dataset_id_is_made_from_the_name(name: str, wanted: str, tmp_path) -> None:
    from imagelake.core.upload_paths import DATASET_ID

    path = tmp_path / name
    path.write_bytes(b"")
    assert dataset_of(path) == wanted
    assert DATASET_ID.match(wanted)
