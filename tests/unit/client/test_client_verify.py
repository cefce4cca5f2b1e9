from __future__ import annotations

import hashlib

import pytest

import imagelake
from imagelake.core.advance import Advance
from imagelake.tables import bronze, gold, silver
from lake_tables import replace_rows, write_rows
from lakes import LakeMaker
from pet_lake import Pets


def test_every_version_and_the_draft_verify(pets: Pets) -> None:
    for ref in ("v1", "v2", "v2.2", "v3"):
        document = pets.lake.verify(f"pets@{ref}").as_json()
        assert document["ok"], document
        assert document["problems"] == []
        assert document["digest"] == pets.lake.show(f"pets@{ref}").as_json()["digest"]
    assert pets.lake.verify("pets@v1").as_json() == {
        "version": "pets@v1",
        "ok": True,
        "digest": pets.lake.show("pets@v1").as_json()["digest"],
        "images_checked": 4,
        "bytes_checked": sum(len(pets.bytes[k]) for k in "abcd"),
        "problems": [],
    }
    assert pets.lake.verify("pets@draft").ok


def test_the_draft_s_digest_is_that_of_the_content(pets: Pets) -> None:
    content = pets.lake.sql("select content_digest from versions where version = 'pets@v3'").rows[0][0]
    assert pets.lake.verify("pets@draft", rows_only=True).digest == content


def test_rows_only_reads_no_bytes(pets: Pets) -> None:
    next((pets.maker.root / "blobs/zip").iterdir()).unlink()
    found = pets.lake.verify("pets@v1", rows_only=True)
    assert (found.ok, found.images_checked, found.bytes_checked) == (True, 0, 0)


def test_bytes_that_rotted_are_named_by_their_images(pets: Pets) -> None:
    archive = next((pets.maker.root / "blobs/zip").iterdir())
    data = bytearray(archive.read_bytes())
    data[bytes(data).find(pets.bytes["b"]) + 20] ^= 1
    archive.write_bytes(data)
    found = pets.lake.verify("pets@v1")
    assert not found.ok
    assert [p.split(":")[0] for p in found.problems] == ["image 'b.png'"]
    assert pets.lake.verify("pets@v2").ok


def test_a_file_that_is_cut_or_gone_is_a_problem_of_each_image_in_it(pets: Pets) -> None:
    archive = next((pets.maker.root / "blobs/zip").iterdir())
    archive.write_bytes(archive.read_bytes()[:50])
    assert len(pets.lake.verify("pets@v1").problems) == 4
    archive.unlink()
    assert len(pets.lake.verify("pets@v1").problems) == 4


@pytest.mark.parametrize("codec", ["stored", "deflate", "object"])
def test_bytes_verify_wherever_they_lie(maker: LakeMaker, codec: str) -> None:
    contents = [bytes([i]) * 500 for i in range(3)]
    for i, data in enumerate(contents):
        maker.image("pets", str(i), data)
    maker.image("pets", "again", contents[0])
    maker.keep("pets", contents, codec)
    maker.deliver("pets")
    maker.publish("pets")
    maker.flush()
    found = imagelake.open(str(maker.root)).verify("pets")
    assert (found.ok, found.images_checked, found.bytes_checked) == (True, 4, 1500)


def test_a_second_place_that_rotted_is_found_before_it_is_needed(pets: Pets) -> None:
    path = pets.maker.keep("pets", [pets.bytes["a"]], "object")
    pets.maker.flush()
    (pets.maker.root / path).write_bytes(pets.bytes["b"])
    assert [p.split(":")[0] for p in pets.lake.verify("pets@v1").problems] == ["image 'a.png'"]


def test_a_wrong_checksum_in_the_table_does_not_hide_good_bytes_of_other_images(pets: Pets) -> None:
    data = pets.bytes["a"]
    row = {"dataset": "pets", "content_hash": hashlib.sha256(data).hexdigest(), "uri": "blobs/zip/no.zip", "offset": 0}
    row |= {"length": 5, "size": 5, "codec": "stored", "state": "live", "at": pets.maker.now()}
    write_rows(pets.maker.root, bronze.BLOBS, [row])
    assert len(pets.lake.verify("pets@v1").problems) == 1


def test_the_newest_version_is_the_draft_until_another_upload_comes(maker: LakeMaker) -> None:
    for name in ("a", "b"):
        maker.image("pets", name, name.encode())
    maker.keep("pets", [b"a", b"b"], "stored")
    maker.deliver("pets")
    maker.publish("pets", last_sequence=1)
    maker.flush()
    lake = imagelake.open(str(maker.root))
    assert lake.verify("pets@v1").ok
    replace_rows(maker.root, silver.IMAGES, "pets", list(maker.draft("pets").images.values())[:1])
    told = "the draft has other image rows (1) than this version (2), although no upload came after it"
    assert lake.verify("pets@v1", rows_only=True).problems == (told,)
    maker.deliver("pets")
    maker.flush()
    assert lake.verify("pets@v1", rows_only=True).ok


def test_a_row_whose_columns_were_tampered_with_is_named(pets: Pets) -> None:
    rows = [dict(r) for r in pets.maker.draft("pets").images.values()]
    next(r for r in rows if r["image_key"] == "c.png")["width"] = 9
    replace_rows(pets.maker.root, silver.IMAGES, "pets", rows)
    found = pets.lake.verify("pets@draft", rows_only=True)
    assert found.problems == ("image 'c.png': the row is not the one its hash was made of",)


def test_a_row_that_cannot_even_be_encoded_is_named(pets: Pets) -> None:
    rows = [dict(r) for r in pets.maker.draft("pets").images.values()]
    rows[0]["attributes"] = "{not json"
    replace_rows(pets.maker.root, silver.IMAGES, "pets", rows)
    assert len(pets.lake.verify("pets@draft", rows_only=True).problems) == 1


def test_rows_that_were_added_unseen_change_the_digest(pets: Pets) -> None:
    row = next(r for r in pets.maker.versions("pets") if r["number"] == 3)
    image = pets.maker.draft("pets").images["c.png"]
    extra = image | {"row_id": "x", "added_in": 3, "publish_id": row["publish_id"], "image_key": "extra.png"}
    write_rows(pets.maker.root, gold.IMAGE_LOG, [extra])
    problems = " ".join(pets.lake.verify("pets@v3", rows_only=True).problems)
    assert "extra.png" in problems
    assert "5 image rows were published, 6 are in the log" in problems
    assert "the digest is d1:" in problems
    assert pets.lake.verify("pets@v2", rows_only=True).ok


def test_an_image_moved_to_another_split_unseen_changes_the_digest(pets: Pets) -> None:
    row = next(r for r in pets.maker.versions("pets") if r["number"] == 3)
    extra = {"dataset": "pets", "recipe": 1, "image_key": "c.png", "split": "test", "row_id": "x", "added_in": 3}
    write_rows(pets.maker.root, gold.SPLIT_LOG, [extra | {"publish_id": row["publish_id"]}])
    problems = pets.lake.verify("pets@v3", rows_only=True).problems
    assert len(problems) == 2
    assert problems[0].startswith("the digest is")
    assert problems[1] == "image 'c.png': it has 2 splits: test, train"


def test_a_long_list_of_problems_is_cut_and_counted(maker: LakeMaker) -> None:
    for i in range(1_005):
        maker.image("pets", f"{i}.png")
    maker.deliver("pets")
    maker.flush()
    problems = imagelake.open(str(maker.root)).verify("pets@draft").problems
    assert len(problems) == 1_001
    assert problems[-1] == "and 5 more problems"


def test_progress_counts_rows_and_bytes_up_to_their_totals(pets: Pets) -> None:
    seen: list[Advance] = []
    verified = pets.lake.verify("pets@v1", progress=seen.append)
    last = {advance.stage: advance for advance in seen}
    assert list(last)[:3] == ["hashing image rows", "hashing annotation rows", "hashing category rows"]
    assert all(advance.done == advance.total for stage, advance in last.items() if stage != "comparing rows")
    reading = last["reading images"]
    assert (reading.done, reading.bytes_done, reading.bytes_total) == (
        4,
        verified.bytes_checked,
        verified.bytes_checked,
    )
