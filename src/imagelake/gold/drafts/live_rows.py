"""The rows of the newest version of a dataset, read from gold by this process."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from imagelake.gold.live import LOGS, Published
from imagelake.gold.splits.recipes import FIRST
from imagelake.runs.context import Context
from imagelake.tables import gold
from imagelake.tables.delta.pinned import Mask, PinnedTable


@dataclass
class LiveRows:
    """Log rows that make up the newest version; splits under recipe 1."""

    ctx: Context
    past_versions: Published
    _ended: dict[str, pa.Array] = field(default_factory=dict)

    def rows(self, entity: str, masks: dict[str, Mask] | None = None) -> pa.Table:
        """Those one of whose columns is meant by its mask, all without masks."""
        return self.still_open(entity, self._logged(entity, masks))

    def keys(self, entity: str, masks: dict[str, Mask], names: tuple[str, ...]) -> pa.Table:
        """As `rows`, these columns, and `row_id`."""
        counting = ("row_id", "publish_id", "added_in")
        rows = self._log(entity).columns(tuple(dict.fromkeys((*names, *counting))), masks).filter(self._counts(entity))
        return self.still_open(entity, rows).drop_columns(["publish_id", "added_in"])

    def past_splits(self, masks: dict[str, Mask] | None = None) -> pa.Table:
        """Split rows of recipe 1 of any version."""
        return self._logged("split", masks)

    def scan(self, entity: str) -> ds.Dataset:
        """The log rows that were published up to the newest version, also those that have ended since."""
        return self.ctx.tables.scan(LOGS[entity], self.past_versions.dataset).filter(self._counts(entity))

    def ended(self, entity: str) -> pa.Array:
        """Ids of the rows that ended up to the newest version."""
        if entity not in self._ended:
            of_entity = (pc.field("entity") == entity) & (pc.field("removed_in") <= self.past_versions.number)
            where = of_entity & pc.field("publish_id").isin(self._publish_ids())
            rows = self.ctx.tables.arrow(gold.CLOSINGS, self.past_versions.dataset, ("row_id",), where)
            self._ended[entity] = rows["row_id"].combine_chunks().cast(pa.string())
        return self._ended[entity]

    def _logged(self, entity: str, masks: dict[str, Mask] | None) -> pa.Table:
        rows = (
            self.ctx.tables.table(LOGS[entity], self.past_versions.dataset)
            if masks is None
            else self._log(entity).where(masks)
        )
        return rows.filter(self._counts(entity))

    def _log(self, entity: str) -> PinnedTable:
        spec = LOGS[entity]
        return PinnedTable.at(self.ctx.storage, spec, self.past_versions.dataset, self.ctx.tables.version(spec))

    def still_open(self, entity: str, rows: pa.Table) -> pa.Table:
        """Those of these log rows that are in the newest version."""
        return rows.filter(pc.invert(pc.is_in(rows["row_id"], value_set=self.ended(entity))))

    def _counts(self, entity: str) -> pc.Expression:
        counts = pc.field("publish_id").isin(self._publish_ids()) & (pc.field("added_in") <= self.past_versions.number)
        return counts & (pc.field("recipe") == FIRST) if entity == "split" else counts

    def _publish_ids(self) -> pa.Array:
        return pa.array(self.past_versions.publish_ids, pa.string())
