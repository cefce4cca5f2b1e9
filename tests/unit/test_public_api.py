"""What `import imagelake` gives, and what it costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import imagelake

SOURCE = Path(imagelake.__file__).parent
HEAVY = ("pyspark", "deltalake", "duckdb", "pyarrow", "pydantic", "PIL", "yaml", "typer", "numpy", "pandas")


def python(code: str, *argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, *argv], capture_output=True, text=True, timeout=120)


def test_the_public_names_are_these() -> None:
    assert imagelake.__all__ == [
        "Annotation",
        "ConfigError",
        "Conflict",
        "GateFailed",
        "ImagelakeError",
        "IntegrityError",
        "Lake",
        "LakeFormatError",
        "Locked",
        "NotFound",
        "Sample",
        "Samples",
        "UploadRejected",
        "UsageError",
        "__version__",
        "open",
    ]
    assert all(getattr(imagelake, name) for name in imagelake.__all__)
    assert set(imagelake.__all__) <= set(dir(imagelake))


def test_any_other_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        _ = imagelake.nothing


def test_a_lake_can_do_what_the_contract_says() -> None:
    public = {name for name in dir(imagelake.Lake) if not name.startswith("_")}
    assert public == {
        "diff", "export_rejections", "get", "images", "load", "rejections", "report", "runs", "save_labels", "show",
        "snapshot", "sql", "table", "upload_url", "urls", "verify",
    }  # fmt: skip


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, imagelake, imagelake.client.lake; print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    done = python(code)
    assert done.returncode == 0, done.stderr
    assert not set(HEAVY) & set(done.stdout.split())


def test_no_module_of_the_client_imports_the_engine_or_a_stage() -> None:
    files = [p for p in sorted((SOURCE / "client").rglob("*.py")) if p.stem != "torch_dataset"]  # needs torch
    modules = [".".join(("imagelake", *p.relative_to(SOURCE).with_suffix("").parts)) for p in files]
    code = """if True:
        import importlib, sys
        for name in sys.argv[1:]:
            importlib.import_module(name)
        stages = ("imagelake.bronze", "imagelake.silver", "imagelake.gold")
        bad = [m for m in sys.modules if m.partition(".")[0] in ("pyspark", "delta", "py4j") or m.startswith(stages)]
        sys.exit(f"imported: {bad}" if bad else 0)
    """
    done = python(code, *modules)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("what", ["show()", "sql('select 1')", "rejections('x')"])
def test_looking_never_imports_arrow_or_the_engine(tmp_path: Path, what: str) -> None:
    (tmp_path / "imagelake.json").write_text('{"format": 1, "lake_id": "x", "created": "2026-01-01"}')
    code = f"""if True:
        import sys, imagelake
        try:
            imagelake.open(sys.argv[1]).{what}
        except imagelake.NotFound:
            pass
        bad = {{"pyspark", "pyarrow", "pandas", "pydantic", "numpy"}} & set(sys.modules)
        sys.exit(f"imported: {{bad}}" if bad else 0)
    """
    done = python(code, str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["imagelake.json"], "reading writes nothing"
