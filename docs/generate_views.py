"""Writes docs/views.md from the declarations of the views; docs/generate.py calls it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from imagelake.client.query.statement import MACROS
from imagelake.client.query.view_columns import CHANGES, VIEWS, View

EXAMPLES: Mapping[str, str] = {
    "images": """select split, count(*) as images, sum(length) as bytes
from images group by split order by split""",
    "annotations": """select category, count(*) as n, avg(bbox.w * bbox.h) as area
from annotations where kind = 'box' group by category order by n desc, category""",
    "categories": "select train_index, name from categories where train_index is not null order by train_index",
    "splits": "select split, origin, count(*) as images from splits group by all order by all",
    "class_stats": """select category, annotations, by_split['train'].images as in_train
from class_stats where share > 0.01 order by annotations desc, category""",
    "versions": """select version, images, annotations, created_at, note
from versions where state = 'published' order by created_at""",
    "aliases": "select dataset, alias, version, author, set_at from aliases order by sequence",
    "rejections": """select rule, count(*) as rows, min(message) as example
from rejections where closed_at is null group by rule order by rows desc, rule""",
    "uploads": "select sequence, state, mode, source, annotations.accepted as labels from uploads order by sequence",
    "runs": "select verb, status, count(*) as runs, max(seconds) as longest from runs group by all order by all",
    "changes": """select change, what, image_key, category_before, category_after
from changes('pets@v1', 'pets@v3') where entity = 'annotation' order by image_key""",
}
"""A query for each view; a test runs them all on a lake with versions of `pets`."""


def views() -> str:
    """Every view with its columns and an example."""
    return "\n".join(_views()) + "\n"


def _views() -> Iterator[str]:
    yield "# Views of SQL\n"
    yield "Generated from `src/imagelake/client/query/view_columns.py` by `docs/generate.py`. `imagelake sql` and"
    yield '`lake.sql(query, at="pets@v3")` run one SELECT over these views, in DuckDB\'s SQL. Times are in UTC.\n'
    yield "Views of a version show the version that `--at` names, else the newest version of every dataset."
    at = [f"`{macro}('pets@v3')`" for macro in MACROS if macro != CHANGES.name]
    yield f"{', '.join(at[:-1])} and {at[-1]}"
    yield "have the same columns, for any version or draft, so that one query can read several. [The tables](tables.md)"
    yield "below the views can also be read [without imagelake](engines.md)."
    for view in (*VIEWS, CHANGES):
        yield from _view(view)


def _view(view: View) -> Iterator[str]:
    title = "changes('pets@v1', 'pets@v3')" if view is CHANGES else view.name
    yield f"\n## {title}\n\n{view.doc}\n\n```sql\n{EXAMPLES[view.name]}\n```\n"
    yield "| column | type | meaning |\n|---|---|---|"
    for column in view.columns:
        yield f"| {column.name} | `{column.type.replace(chr(34), '')}` | {column.doc} |"
