"""The nightly verb: everything that waits under landing/, in one run."""

from __future__ import annotations

import json

from tests.spark import helpers

import imagelake
from imagelake.cli.main import main
from imagelake.runs.landing import run_landing
from imagelake.runs.open_run import run_verb
from imagelake.storage.leases.lease import acquire


def night(lake, dataset=None):
    settings = helpers.settings(lake, "spark.master=local[2]", "spark.shuffle_partitions=2")
    return run_verb(settings, "run", dataset, lambda ctx: run_landing(ctx, dataset))


def test_a_night_takes_what_is_complete_and_one_failure_stops_nothing_else(spark, tmp_path):
    lake = tmp_path / "lake"
    helpers.context(spark, lake)
    landing = lake / "landing"
    (lake / "datasets").mkdir(exist_ok=True)
    (lake / "datasets" / "pets.yaml").write_text("publish: auto\nreport: true\n")
    first, second = helpers.small(3), helpers.small(2, start=10)
    for folder in ("pets", "birds", "Not An Id"):
        (landing / folder).mkdir(parents=True)
    helpers.write_zip(landing / "pets" / "monday.zip", first.files())
    (landing / "pets" / "broken.zip").write_bytes(b"no zip")
    helpers.write_zip(landing / "pets" / "odd.zip", first.files())
    helpers.write_folder(landing / "birds" / "all", second.files())
    helpers.write_zip(landing / "birds" / "late.zip", first.files())
    helpers.write_zip(landing / "Not An Id" / "x.zip", first.files())
    for marker in ("pets/monday", "pets/broken", "birds/all", "Not An Id/x"):
        (landing / f"{marker}.ready").touch()
    (landing / "pets" / "odd.ready").write_text(json.dumps({"mode": "upside down"}))
    (landing / "pets" / "strange.zip").write_bytes(b"")
    (landing / "pets" / "strange.ready").write_text(json.dumps({"format": "kokko"}))

    found = night(lake)
    by_name = {r.source.rpartition("/")[2]: r for r in found if r.source}
    assert set(by_name) == {"monday.zip", "broken.zip", "odd.zip", "strange.zip", "all", "x.zip"}
    assert len({r.run_id for r in found}) == 1
    run_id = found[0].run_id
    places = {name: (r.moved_to or "").rpartition("/landing/")[2] for name, r in by_name.items()}
    assert places == {
        "monday.zip": f".done/pets/{run_id[:8]}-monday.zip", "all": f".done/birds/{run_id[:8]}-all",
        **{f"{n}.zip": f".rejected/pets/{run_id[:8]}-{n}.zip" for n in ("broken", "odd", "strange")}, "x.zip": "",
    }  # fmt: skip
    assert min(r.seconds for r in (by_name["monday.zip"], by_name["broken.zip"], by_name["all"])) > 0.01
    assert "1 to 63 of a-z" in by_name["x.zip"].problem
    assert "'append', 'update' or 'replace'" in by_name["odd.zip"].problem
    problem = json.loads((landing / ".rejected" / "pets" / f"{run_id[:8]}-broken.problem.json").read_text("utf-8"))
    assert problem.pop("at").endswith("Z")
    refused = by_name["broken.zip"]
    assert refused.rule.startswith("archive.")
    assert problem == {
        "format": 1, "dataset": "pets", "source": refused.source, "moved_to": refused.moved_to, "run_id": run_id,
        "problems": [{"rule": refused.rule, "message": refused.problem, "hint": refused.hint}],
    }  # fmt: skip
    ends = sorted((r.dataset, r.status, r.exit_code) for r in found)
    assert ends == [
        ("Not An Id", "failed", 2), ("birds", "accepted", 0),
        ("pets", "accepted", 0), *[("pets", "rejected", 3)] * 3,
    ]  # fmt: skip
    names = {
        kind: sorted(
            p.name.partition("-")[2]
            for p in (landing / kind).rglob("*.*")
            if p.is_file() and p.parent.parent == landing / kind
        )
        for kind in (".done", ".rejected")
    }
    suffixes = ("problem.json", "ready", "zip")
    assert names[".rejected"] == [f"{n}.{suffix}" for n in ("broken", "odd", "strange") for suffix in suffixes]
    assert names[".done"] == ["all.ready", "monday.ready", "monday.zip"]
    assert sorted(p.name for p in (landing / "birds").iterdir()) == ["late.zip"], "it is not complete yet"
    pages = [r.report_path for r in found if r.report_path]
    assert pages == ["reports/pets/v1.html"]
    assert "pets@v1 passed the quality gate" in (lake / pages[0]).read_text("utf-8")
    client = imagelake.open(str(lake))
    assert [v["version"] for v in client.show("pets").as_json()["versions"]] == ["pets@v1"]
    assert client.show("birds").as_json()["versions"] == [], "it is not set to publish by itself"
    assert client.verify("birds@draft").as_json()["images_checked"] == 2
    (run,) = client.runs().as_json()["runs"]
    assert (run["verb"], run["status"]) == ("run", "failed")
    assert "Not An Id" in run["problem"]
    ((report,),) = client.sql("select report from runs").rows
    assert [r["source"] for r in json.loads(report)] == [r.source for r in found]

    helpers.write_zip(landing / "pets" / "monday.zip", first.files())
    (landing / "pets" / "monday.ready").touch()
    helpers.write_zip(landing / "birds" / "later.zip", first.files())
    (landing / "birds" / "later.ready").touch()
    (again,) = night(lake, "pets")
    assert (again.status, again.version, again.published) == ("unchanged", "pets@v1", False)
    assert again.moved_to.endswith("-monday.zip")
    assert again.seconds > 0
    assert (landing / "birds" / "later.ready").exists(), "another dataset's"


def test_a_night_ends_with_the_code_of_its_worst_upload_and_goes_on_the_next_night(spark, tmp_path, capsys):
    lake = tmp_path / "lake"
    ctx = helpers.context(spark, lake)
    for dataset in ("pets", "fish"):
        (lake / "landing" / dataset).mkdir(parents=True)
        helpers.write_zip(lake / "landing" / dataset / "a.zip", helpers.small(2).files())
        (lake / "landing" / dataset / "a.ready").touch()
    (lake / "landing" / "pets" / "b.zip").write_bytes(b"no zip")
    (lake / "landing" / "pets" / "b.ready").write_text("[1]")
    (lake / "landing" / "pets" / "b.problem.json").write_text("an upload with a bad name")
    (lake / "landing" / "pets" / "b.problem.ready").write_text("{")
    (lake / "datasets").mkdir(exist_ok=True)
    (lake / "datasets" / "fish.yaml").write_text("publish: auto\ngate: {min_images: 100}\n")
    quick = [word for key in ("spark.master=local[2]", "lease.wait_seconds=0") for word in ("--set", key)]
    words = ["run", "--landing", "--lake", str(lake), "--json", *quick]

    with acquire(ctx.storage, "pets", ctx.holder, ctx.settings.lease, ctx.clock):
        assert main(words) == 5
    ends = {u["source"].partition("/landing/")[2]: u for u in json.loads(capsys.readouterr().out)["uploads"]}
    said = {name: (u["status"], u["rule"], u["moved_to"] is None) for name, u in ends.items()}
    assert said == {
        "pets/a.zip": ("failed", None, True),
        "pets/b.zip": ("rejected", "landing.options", False),
        "pets/b.problem.json": ("rejected", "landing.options", False),
        "fish/a.zip": ("accepted", None, False),
    }
    assert "min_images" in ends["fish/a.zip"]["problem"]
    (kept,) = (lake / "landing" / ".rejected" / "pets").glob("*-b.problem.json")
    assert kept.read_text() == "an upload with a bad name", "no document of ours replaces an upload"
    assert main(words) == 4, "pets goes through, fish has no more images than before"
    again = json.loads(capsys.readouterr().out)
    assert again["summary"]["not_published"] == 1
    assert sorted((u["dataset"], u["source"] is None) for u in again["uploads"]) == [("fish", True), ("pets", False)]
    (lake / "datasets" / "fish.yaml").write_text("publish: auto\n")
    assert main(words) == 0
    assert [u["version"] for u in json.loads(capsys.readouterr().out)["uploads"]] == ["fish@v1"]
    runs = imagelake.open(str(lake)).runs().as_json()["runs"]
    assert [run["status"] for run in runs] == ["done", "rejected", "failed"]
    assert runs[2]["problem"] == ends["pets/a.zip"]["problem"], "a failure is worse than the refusals before it"
