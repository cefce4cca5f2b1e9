"""Machine settings: conf/base.yaml, an overlay, `--set key=value`, with `${ENV}` taken from the environment."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from imagelake.config.lifecycle_settings import LifecycleSettings
from imagelake.core.plain_yaml import load_yaml
from imagelake.errors import ConfigError

MASK = "********"
MASKED_NAMES = "(?i)secret|password|passwd|token|access[._-]?key|credential|signature|encryption"
"""Names whose values are never shown (a regular expression, for Python and Java alike)."""

_SECRET = re.compile(MASKED_NAMES)
_ENV = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


class Strict(BaseModel):
    """A settings block: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SparkSettings(Strict):
    """How a session is built when nobody else has configured one."""

    master: str = "local[*]"
    jars: str = "auto"
    jar_cache: str = "~/.cache/imagelake/jars"
    fast_start: bool = True
    driver_memory: str = "2g"
    ui: bool = False
    log_level: str = "ERROR"
    shuffle_partitions: int = Field(4, ge=1)
    partition_discovery_parallelism: int = Field(4, ge=1)
    conf: dict[str, str] = {}


class DeltaSettings(Strict):
    """Properties of the lake's tables."""

    log_retention: str = "interval 400 days"
    deleted_file_retention: str = "interval 30 days"
    checkpoint_interval: int = Field(20, ge=1)


class IngestSettings(Strict):
    """Limits and sizes of reading uploads. Sizes in bytes unless named otherwise."""

    decode: bool = True
    max_pixels: int = Field(178_956_970, ge=1)
    max_frames: int = Field(10_000, ge=1)
    probe_seconds: float = Field(10, gt=0)
    probe_memory_mb: int = Field(1024, ge=64)
    task_megabytes: int = Field(256, ge=1)
    task_files: int = Field(20_000, ge=1)
    package_files: int = Field(1000, ge=1)
    keep_archive_share: float = Field(0.5, ge=0, le=1)
    max_entries: int = Field(5_000_000, ge=1)
    max_total_bytes: int = Field(2 << 40, ge=1)
    max_ratio: float = Field(200, ge=1)
    max_document_bytes: int = Field(2 << 30, ge=1)


class PackSettings(Strict):
    """When images are put together in packages, and how large packages are."""

    when: Literal["auto", "always", "never"] = "auto"
    min_images: int = Field(10_000, ge=1)
    min_small_images: int = Field(1000, ge=1)
    small_megabytes: float = Field(1, gt=0)
    max_mean_megabytes: float = Field(10, gt=0)
    package_megabytes: int = Field(128, ge=1, le=1024)
    max_waste: float = Field(0.3, ge=0, le=1)
    grace_hours: float = Field(168, ge=0)


class S3Settings(Strict):
    """The object store of `s3://` URIs, for boto3, Spark, delta-rs and DuckDB alike.

    What is None comes from the standard AWS_* variables and files, as credentials always do: they are no settings.
    """

    endpoint: str | None = None
    region: str | None = None
    path_style: bool | None = None
    ca_bundle: str | None = None
    profile: str | None = None
    ship_credentials: bool = False
    single_writer: bool = False
    attempts: int = Field(8, ge=1, le=100)
    connections: int = Field(16, ge=1, le=256)
    part_megabytes: int = Field(16, ge=5, le=5120)


class LeaseSettings(Strict):
    """How long writers hold and wait, in seconds."""

    ttl_seconds: float = Field(60, gt=0)
    wait_seconds: float = Field(60, ge=0)


class LogSettings(Strict):
    """imagelake's own log on stderr."""

    level: str = "WARNING"


class Settings(Strict):
    """Everything a machine decides for itself."""

    lake: str = "./lake"
    spark: SparkSettings = SparkSettings()
    delta: DeltaSettings = DeltaSettings()
    ingest: IngestSettings = IngestSettings()
    pack: PackSettings = PackSettings()
    s3: S3Settings = S3Settings()
    lease: LeaseSettings = LeaseSettings()
    log: LogSettings = LogSettings()
    lifecycle: LifecycleSettings = LifecycleSettings()


Block = TypeVar("Block", bound=BaseModel)


def load(
    overlay: Path | None = None, overrides: Sequence[str] = (), environ: Mapping[str, str] | None = None
) -> Settings:
    """The merged settings: base, overlay, then `key=value` overrides. ConfigError names a wrong key or value."""
    environ = os.environ if environ is None else environ
    merged = _substitute(_read_base(), environ, "conf/base.yaml")
    if overlay is not None:
        merged = merge(merged, _substitute(_read(overlay), environ, str(overlay)))
    for item in overrides:
        merged = merge(merged, override(item))
    return validate(Settings, merged, str(overlay) if overlay else "settings")


def masked(settings: Settings) -> dict[str, Any]:
    """The settings as plain data with every secret replaced."""
    return {k: _mask(k, v) for k, v in settings.model_dump().items()}


def validate(model: type[Block], data: Mapping[str, Any], where: str) -> Block:
    """The data as that settings block; ConfigError with the place, the key, and the nearest known one."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise _problem(model, error.errors()[0], where) from None


def problems(model: type[BaseModel], data: Mapping[str, Any], where: str) -> list[ConfigError]:
    """Everything that is wrong with the data as that settings block, as `validate` says it of the first."""
    try:
        model.model_validate(data)
    except ValidationError as error:
        return [_problem(model, detail, where) for detail in error.errors()]
    return []


def _problem(model: type[BaseModel], detail: Any, where: str) -> ConfigError:
    path = [str(p) for p in detail["loc"]]
    if detail["type"] == "extra_forbidden":
        return _unknown_key(model, path, where)
    key = ".".join(path)
    shown = MASK if _SECRET.search(key) else repr(detail.get("input"))
    return ConfigError(f"{where}: {key} = {shown}: {detail['msg']}")


def parse_yaml(text: str, where: str) -> dict[str, Any]:
    """A YAML mapping, read safely: no tags, no aliases. ConfigError with the line otherwise."""
    try:
        if any(isinstance(e, yaml.AliasEvent) for e in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise ConfigError(f"{where}: aliases (*name) are not allowed in settings")
        data = load_yaml(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{where} is not valid YAML: {error}") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigError(f"{where} must hold key: value pairs, not {type(data).__name__}")
    return data


def _read_base() -> dict[str, Any]:
    packaged = resources.files("imagelake").joinpath("base.yaml")
    if packaged.is_file():
        return parse_yaml(packaged.read_text("utf-8"), "conf/base.yaml")
    return _read(Path(__file__).parents[3] / "conf" / "base.yaml")


def _read(path: Path) -> dict[str, Any]:
    try:
        return parse_yaml(path.read_text("utf-8"), str(path))
    except OSError as error:
        raise ConfigError(f"cannot read settings file {path}: {error.strerror}") from None


def override(item: str) -> dict[str, Any]:
    """`a.b=1` as {"a": {"b": 1}}, the value read as YAML; ConfigError for text of another form."""
    key, equals, text = item.partition("=")
    if not equals or not key:
        raise ConfigError(f"{item!r} is not of the form key=value")
    value: Any = load_yaml(text) if text else ""
    for part in reversed(key.split(".")):
        value = {part: value}
    return dict(value)


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """The base with the values of `over`, block by block."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _substitute(value: Any, environ: Mapping[str, str], where: str) -> Any:
    if isinstance(value, dict):
        return {k: _substitute(v, environ, where) for k, v in value.items()}
    if isinstance(value, list):
        return [_substitute(v, environ, where) for v in value]
    if not isinstance(value, str):
        return value

    def lookup(match: re.Match[str]) -> str:
        name, default = match.groups()
        if name in environ:
            return environ[name]
        if default is None:
            raise ConfigError(f"{where}: environment variable {name} is not set", hint=f"export {name}=…")
        return str(default)

    return _ENV.sub(lookup, value)


def _unknown_key(model: type[BaseModel], path: list[str], where: str) -> ConfigError:
    block: Any = model
    for part in path[:-1]:
        field = block.model_fields.get(part) if hasattr(block, "model_fields") else None
        block = field.annotation if field else None
    names = list(block.model_fields) if hasattr(block, "model_fields") else []
    near = [".".join([*path[:-1], name]) for name in difflib.get_close_matches(path[-1], names, n=1, cutoff=0.4)]
    near = [key for key in dotted_keys(model) if key.rpartition(".")[2] == path[-1]] or near
    hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(names)}"
    return ConfigError(f"{where}: unknown key {'.'.join(path)}", hint=hint)


def dotted_keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    """The keys of a settings block and of the blocks in it, such as gate.min_images."""
    keys = []
    for name, info in model.model_fields.items():
        kind: Any = info.annotation
        is_block = hasattr(kind, "model_fields")
        keys += dotted_keys(kind, f"{prefix}{name}.") if is_block else [f"{prefix}{name}"]
    return keys


def _mask(key: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _mask(k, v) for k, v in value.items()}
    return MASK if _SECRET.search(key) and value not in (None, "") else value
