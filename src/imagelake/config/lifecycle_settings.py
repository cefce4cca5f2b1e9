"""The settings block `lifecycle`: which bytes of a bucket expire or move, and when. Days count from creation."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

SMALLEST_TIERED = 131_072
"""The size below which AWS bills infrequent-access objects as if they had it, and by default leaves them alone."""


class TieringSettings(BaseModel, extra="forbid", frozen=True):
    """Where kept bytes move: a class that is read at once, since an old blob may serve today's version."""

    storage_class: str
    after_days: int = Field(ge=1)
    min_bytes: int = Field(SMALLEST_TIERED, ge=0)
    loose: bool = False


class ExtraRule(BaseModel, extra="forbid", frozen=True):
    """A rule of one's own for a prefix below the lake's root."""

    prefix: str
    expire_days: int | None = Field(None, ge=1)
    storage_class: str | None = None
    after_days: int | None = Field(None, ge=1)


class PriceSettings(BaseModel, extra="forbid", frozen=True):
    """US dollars per GiB and month; None is the backend's list price."""

    standard: float | None = Field(None, ge=0)
    standard_ia: float | None = Field(None, ge=0)
    glacier_ir: float | None = Field(None, ge=0)


class LifecycleSettings(BaseModel, extra="forbid", frozen=True):
    """What `imagelake lifecycle` asks of the bucket; None switches a rule off."""

    backend: Literal["auto", "aws", "r2", "ceph", "seaweedfs", "moto", "other"] = "auto"
    done_days: int | None = Field(30, ge=1)
    rejected_days: int | None = Field(90, ge=1)
    temporary_days: int | None = Field(7, ge=1)
    access_days: int | None = Field(180, ge=1)
    reports_days: int | None = Field(None, ge=1)
    abort_multipart_days: int | None = Field(7, ge=1)
    undo_days: int | None = Field(30, ge=1)
    blobs_to: TieringSettings | None = None
    rules: tuple[ExtraRule, ...] = ()
    prices: PriceSettings = PriceSettings()
