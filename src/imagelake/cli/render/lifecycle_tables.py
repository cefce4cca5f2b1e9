"""The documents of `imagelake lifecycle` for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from imagelake.cli.plain import safe
from imagelake.cli.render.grid import filled, grid

if TYPE_CHECKING:
    from rich.console import Console

Document = Mapping[str, Any]

_SIGNS = {"add": "+ add", "change": "~ change", "remove": "- remove", "keep": "  keep"}
_COLUMNS = (
    *("change", "rule", "prefix", "does", "now", "objects", "size", "due now", "too small"),
    *("costs/month", "would save/month", "move once"),
)
_DROP = ("too small", "move once", "now", "due now", "objects", "costs/month", "size", "would save/month", "does")
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def plan(to: Console, document: Document) -> None:
    """The whole plan: what would change, with estimates, and everything that should be known before."""
    _head(to, document)
    _rules(to, document["rules"])
    _around(to, document)
    to.print()
    todo = sum(rule["change"] != "keep" for rule in document["rules"])
    if any(rule["harm"] for rule in document["foreign"]):
        to.print("apply would refuse: remove the rules marked ! with the tool that made them", style="bold")
    elif todo:
        to.print(f"{todo} of {len(document['rules'])} rules to write: imagelake lifecycle apply", style="bold")
    else:
        to.print("nothing to do" if document["in_sync"] else "nothing that this store could do", style="bold")


def applied(to: Console, document: Document) -> None:
    """What was written."""
    _head(to, document)
    changed = [rule for rule in document["rules"] if rule["change"] != "keep"]
    if document["written"]:
        _rules(to, changed)
    _around(to, document)
    to.print()
    for name in document["restored"]:
        to.print(f"rule {safe(name)} of somebody else had vanished meanwhile, and is back", soft_wrap=True)
    others = len(document["foreign"])
    text = f"{len(changed)} rules written" if document["written"] else "nothing to do: the bucket has the rules"
    to.print(f"{text}; {others} rules of others kept", style="bold")


def verified(to: Console, document: Document) -> None:
    """Whether the bucket has the rules, and where not."""
    _head(to, document)
    _rules(to, [rule for rule in document["rules"] if rule["change"] != "keep"])
    _around(to, document)
    to.print()
    if document["ok"]:
        to.print("the bucket has the rules that the settings want", style="bold")
    elif any(rule["harm"] for rule in document["foreign"]):
        to.print("a rule of somebody else hurts this lake: remove it with the tool that made it", style="bold")
    else:
        to.print("the bucket has NOT the rules that the settings want: imagelake lifecycle plan", style="bold")


def _head(to: Console, document: Document) -> None:
    backend = document["backend"]
    to.print(f"{safe(document['lake'])} on {backend['name']} (known by {safe(backend['known_by'])})", soft_wrap=True)


def _rules(to: Console, rules: Sequence[Document]) -> None:
    shown = [_row(rule) for rule in rules]
    if shown:
        grid(to, shown, filled(shown, _COLUMNS), drop=_DROP)
    if any(rule["estimate"] for rule in rules):
        to.print("estimates: from a listing, at list prices or those of lifecycle.prices; days count from creation")


def _row(rule: Document) -> dict[str, Any]:
    row = {"change": _SIGNS[rule["change"]], "rule": rule["name"], "prefix": rule["prefix"], "does": rule["does"]}
    row["now"] = rule["now"]
    estimate = rule["estimate"]
    if estimate is None:
        return row
    more = "" if estimate["complete"] else "over "
    row |= {"objects": f"{more}{estimate['objects']:,}", "size": more + size(estimate["bytes"])}
    if estimate["due_objects"] is not None:
        some = estimate["due_objects"]
        row["due now"] = f"{some:,}" + (f", {size(estimate['due_bytes'])}" if estimate["due_bytes"] else "")
    row["too small"] = f"{estimate['small_objects']:,}" if estimate["small_objects"] else None
    if estimate["costs"]:
        row["costs/month"] = more + _dollars(estimate["costs"])
    if estimate["saves"]:
        of_it = f", {_dollars(estimate['saves_due'])} of it now" if estimate["saves_due"] else ""
        row["would save/month"] = f"{more}{_dollars(estimate['saves'])}{of_it}"
    if estimate["once"]:
        row["move once"] = more + _dollars(estimate["once"])
    if estimate["foreign_table"]:
        row["does"] += f"; REFUSED: {estimate['foreign_table']} lies there"
    return row


def _around(to: Console, document: Document) -> None:
    for rule in document["left_out"]:
        to.print(f"left out: {safe(rule['rule'])}: {safe(rule['reason'])}", soft_wrap=True)
    for rule in document["foreign"]:
        description = (
            f"{safe(rule['rule_id'] or 'without id')} ({safe(rule['prefix'] or 'whole bucket')}): {safe(rule['does'])}"
        )
        if rule["harm"]:
            to.print(
                f"! not ours, {description}\n  HURTS THIS LAKE: {safe(rule['harm'])}", style="bold red", soft_wrap=True
            )
        else:
            to.print(f"not ours, kept: {description}", soft_wrap=True)
            if rule["warning"]:
                to.print(f"  mind: {safe(rule['warning'])}", soft_wrap=True)
    for note in document["notes"]:
        to.print(f"note: {safe(note)}", soft_wrap=True)


def _dollars(amount: float) -> str:
    return f"${amount:,.2f}" if abs(amount) >= 0.01 else "under $0.01"


def size(count: int) -> str:
    """A number of bytes to three digits."""
    value, unit = float(count), 0
    while value >= 1000 and unit + 1 < len(_UNITS):
        value, unit = value / 1024, unit + 1
    return f"{value:.3g} {_UNITS[unit]}"
