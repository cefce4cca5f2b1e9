"""What a publish would write: the draft compared with the newest version, or another recipe for a version."""

from __future__ import annotations

import uuid

from imagelake.config.dataset_settings import DatasetSettings
from imagelake.errors import NotFound
from imagelake.gold.difference import Attempt
from imagelake.gold.drafts.draft import draft_of
from imagelake.gold.drafts.whole_draft import WholeDraft
from imagelake.gold.live import Published
from imagelake.gold.measures.version_statistics import count_statistics
from imagelake.gold.plan import Candidate, Current, PublishPlan, PublishRequest, Remarks, Uploads
from imagelake.gold.run_gate import judged
from imagelake.gold.splits.recipes import FIRST, choose_recipe, history, settings_that_differ
from imagelake.gold.version_uploads import uploads_since
from imagelake.quality.gate import Verdict
from imagelake.runs.context import Context
from imagelake.tables import upload_rows
from imagelake.tables.build_rows import SILVER, app_id


def make_plan(
    ctx: Context, request: PublishRequest, settings: DatasetSettings, past_versions: Published
) -> PublishPlan | Current:
    """The version to write, or the one that is there already.

    UsageError for options that do not fit the recipe, NotFound for a version that does not exist, GateFailed when the
    draft is not good enough.
    """
    if request.ref_number is not None:
        return _recipe_plan(ctx, request, settings, past_versions)
    return _content_plan(ctx, request, settings, past_versions)


def _content_plan(
    ctx: Context, request: PublishRequest, settings: DatasetSettings, past_versions: Published
) -> PublishPlan | Current:
    recipe = choose_recipe(request, settings, past_versions)
    said = _of_settings(request.dataset, settings, past_versions)
    attempt = Attempt(request.dataset, past_versions.number + 1, uuid.uuid4().hex)
    ctx.progress(f"comparing the draft of {request.dataset} with version {past_versions.number}")
    # before the rows are pinned: an upload that ends in between belongs to the next version
    uploads = uploads_since(past_versions.newest, upload_rows.newest(ctx.tables, request.dataset))
    unchanged = Current(past_versions.number, FIRST, said + _of_options(request, past_versions))
    if not uploads.built and _is_published(ctx, past_versions):
        return unchanged
    draft = draft_of(ctx, past_versions, recipe)
    differences = draft.differences(attempt)
    if past_versions.number and not any(d.added + d.removed + d.changed for d in differences):
        return unchanged
    splits = draft.splits(settings)
    with draft.relations(splits) as relations:
        candidate = Candidate(relations, uploads, recipe.fractions)
        verdict = judged(ctx, request, attempt, candidate, (settings, past_versions))
    differences.append(draft.split_difference(attempt, splits))
    parent = f"v{past_versions.number}.1" if past_versions.number else None
    remarks = said + splits.remarks + _of_verdict(verdict)
    of_content = (draft.digests(differences, splits), verdict.measures.statistics)
    return PublishPlan(attempt, FIRST, recipe, differences, *of_content, verdict, parent, uploads, remarks)


def _is_published(ctx: Context, past_versions: Published) -> bool:
    """Whether the newest version includes every build that has written to the draft; only builds change it."""
    if past_versions.newest is None or past_versions.newest["last_sequence"] is None:
        return False
    builds = (ctx.tables.transaction(spec, app_id(past_versions.dataset)) or 0 for spec in SILVER)
    return max(builds) <= int(past_versions.newest["last_sequence"])


def _recipe_plan(
    ctx: Context, request: PublishRequest, settings: DatasetSettings, past_versions: Published
) -> PublishPlan | Current:
    number = request.ref_number or past_versions.number
    base = past_versions.find(number)
    if base is None:
        raise NotFound(f"{request.dataset} has no version v{number}", hint=f"imagelake show {request.dataset}")
    recipe = choose_recipe(request, settings, past_versions)
    recipe_number, past_recipe = history(past_versions, recipe, number)
    if past_versions.find(number, recipe_number) is not None:
        return Current(number, recipe_number, Remarks())
    draft = WholeDraft.of_version(ctx, past_versions, number, (recipe, recipe_number, past_recipe))
    attempt = Attempt(request.dataset, number, uuid.uuid4().hex)
    splits = draft.splits(settings)
    differences = [draft.split_difference(attempt, splits)]
    with draft.relations(splits) as relations:
        of_content = (draft.digests(differences, splits), count_statistics(relations))
    uploads = Uploads((), base["last_sequence"])
    parent = f"v{number}.1"
    return PublishPlan(attempt, recipe_number, recipe, differences, *of_content, None, parent, uploads, splits.remarks)


def _of_verdict(verdict: Verdict) -> Remarks:
    warnings, infos = verdict.remarks("warn"), verdict.remarks("info")
    notices = (*verdict.notices, *verdict.warned)
    if not verdict.forced:
        return Remarks(warnings, notices, infos)
    said = f"published by force, although the gate refuses it: {'; '.join(verdict.problems)}"
    return Remarks({**warnings, "publish.forced": 1}, (*notices, said), infos)


def _of_options(request: PublishRequest, past_versions: Published) -> Remarks:
    """What options of a split come to where nothing else is new: recipe 1 has them already."""
    if request.split is None and request.group_by is None and request.stratify is None:
        return Remarks()
    sentence = (
        "recipe 1 has these splits already; other shares for the same images are a recipe of their own: "
        f"imagelake publish {request.dataset}@v{past_versions.number} --split …"
    )
    return Remarks(notices=(sentence,))


def _of_settings(dataset: str, settings: DatasetSettings, past_versions: Published) -> Remarks:
    keys = settings_that_differ(settings, past_versions)
    if not keys:
        return Remarks()
    named = ", ".join(f"splits.{key}" for key in keys)
    sentence = (
        f"recipe 1 continues as {dataset}@v1 began it: {named} in datasets/{dataset}.yaml differ from it; "
        f"for other shares: imagelake publish {dataset}@v{past_versions.number} --split …"
    )
    return Remarks({"split.settings_differ": 1}, (sentence,))
