"""Reports what a workspace holds, what is stale and why, and what to type next."""

import contextlib
import dataclasses
import os
import re
import time
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adcat.errors import AdcatError
from adcat.progress import Progress, Silent
from adcat.settings import option
from adcat.tables import Column, Report, Table
from adcat.types import MODALITIES
from adcat.workspace import command_lines
from adcat.workspace.ads import read_modalities
from adcat.workspace.artifact import Artifact, Finding
from adcat.workspace.digests import Look
from adcat.workspace.layout import Workspace
from adcat.workspace.photos import in_words, photo_changes
from adcat.workspace.shards import Shard
from adcat.workspace.staging import Unfinished

FIRST_POLICY = "stack"  # suggested where nothing is fused yet
SHOWN = 5  # missing shards


@dataclasses.dataclass(frozen=True)
class Settings:
    """How closely it looks."""

    verify: bool = option(
        False, "Read all files, not only those whose size or time has changed since the last check."
    )


def status(workspace: Workspace, settings: Settings, progress: Progress) -> Report:
    """Show what exists, what is stale and what to type next.

    An artifact is current if it is complete and was made from the current inputs; damaged if one
    of its files was edited or deleted; stale if an input, direct or indirect, is missing, damaged
    or has changed since. The inputs of the split are the photos. Nothing is changed, not even what
    a killed command left; any other command mends that.
    """
    found = document(workspace, settings, progress)
    rows = [
        (one["artifact"], one["state"], size, _age(one["seconds_old"]), one["why"])
        for one in found["artifacts"]
        for size in ["" if one["state"] == "missing" else _size(one["bytes"])]
    ]
    columns = [Column(heading) for heading in ("artifact", "state", "size", "age", "why")]
    lines = [_in_words(staging) for staging in found["unfinished"]]
    lines += map(_shards_in_words, found["shards"])
    lines.append(f"next: {found['next']}" if found["next"] else "everything is current")
    return Report(lines, [Table("Artifacts", columns, rows)])


def document(workspace: Workspace, settings: Settings, progress: Progress) -> dict[str, Any]:
    """What `--json` prints."""
    needless = _needless(workspace)
    artifacts = [artifact for artifact in workspace.artifacts() if artifact not in needless]
    if not workspace.variants("fuse"):
        artifacts.insert(artifacts.index(workspace.features) + 1, workspace.fused(FIRST_POLICY))
    known, look = dict[str, Finding](), Look(settings.verify, is_remembered=False)
    listener = progress if settings.verify else Silent()  # otherwise it is done at once
    with listener.task("checking artifacts", len(artifacts), "artifacts") as task:
        for artifact in artifacts:
            artifact.examine(known, look)
            task.advance(1)
    _look_at_photos(workspace.split, known, look)
    findings = [known[artifact.name] for artifact in artifacts]
    staging_areas = [
        _described(artifact, staging, known)
        for artifact in workspace.begun()
        for staging in artifact.staging_area.unfinished()
    ]
    at_work = {area["artifact"] for area in staging_areas if area["state"] == "being written"}
    shards = _shards(workspace, at_work, known, look)
    return {
        "workspace": str(workspace.root),
        "artifacts": [_described_state(finding) for finding in findings],
        "unfinished": staging_areas,
        "shards": shards,
        "next": _next(
            [f for f in findings if f.artifact != workspace.attention_search],
            [*staging_areas, *shards],
        ),
    }


def _look_at_photos(split: Artifact, known: dict[str, Finding], look: Look) -> None:
    """Calls a split stale whose photos changed; what was made from it still fits the split."""
    found = known[split.name]
    with contextlib.suppress(AdcatError):  # what is wrong with its table is told by who reads it
        if found.state == "current" and (changes := photo_changes(split, look)):
            problem = in_words(split, changes)
            known[split.name] = dataclasses.replace(found, state="stale", problem=problem)


def _needless(workspace: Workspace) -> list[Artifact]:
    """The classifiers of modalities that no ad has, which are never made."""
    try:
        may_lack = "incomplete" in workspace.split.manifest().notes
        there = read_modalities(workspace.split) if may_lack else MODALITIES
    except (AdcatError, OSError):  # what is wrong with it is reported anyway
        return []
    classifiers = {"text": workspace.text_model, "image": workspace.image_model}
    return [artifact for modality, artifact in classifiers.items() if modality not in there]


def _described_state(finding: Finding) -> dict[str, Any]:
    path, manifest = finding.artifact.path, finding.manifest
    problem = finding.problem.removeprefix(f"{finding.artifact.root}/")  # the user named that
    return {
        "artifact": finding.artifact.name,
        "state": finding.state,
        "sound": finding.state in ("stale", "current"),
        "why": "" if finding.state == "missing" else problem,
        "bytes": _bytes(path),
        "seconds_old": _seconds_since(manifest.record) if manifest else None,
        "command": finding.command,
    }


def _described(
    artifact: Artifact, staging: Unfinished, known: dict[str, Finding]
) -> dict[str, Any]:
    """Describes an unfinished artifact; a run with other inputs never resumes it."""
    sources = {name: known.get(name) for name in staging.manifest.inputs}
    fits = all(
        found and found.state == "current" and found.manifest and found.manifest.digest == digest
        for found, digest in zip(sources.values(), staging.manifest.inputs.values(), strict=True)
    )
    return {
        "artifact": artifact.name,
        "state": "being written" if staging.is_being_written else "waiting" if fits else "outdated",
        "folder": str(staging.folder),
        "bytes": _bytes(staging.folder),
        "seconds_old": _seconds_since(staging.manifest.record),
        "command": command_lines.like(staging.manifest.record, artifact.root, artifact.name),
    }


def _shards(
    workspace: Workspace, at_work: Collection[str], known: dict[str, Finding], look: Look
) -> list[dict[str, Any]]:
    """Describes the shards that wait for others of their features, or to be merged.

    The command is for the first one that is missing and not being written by those at work.
    """
    described: list[dict[str, Any]] = []
    for classifier in [workspace.classifier("image"), *workspace.named_classifiers()]:
        if classifier.features.examine(known, look).state == "current":
            continue
        for of in sorted({shard.of for shard in classifier.found_shards()}):
            shards = [Shard(number, of) for number in range(1, of + 1)]
            found = {shard: classifier.shard(shard).examine(known, look) for shard in shards}
            lacking = [shard for shard in shards if found[shard].state != "current"]
            like = next((f for f in found.values() if f.manifest), found[shards[0]]).command
            left = [f"--shard {s}" for s in lacking if classifier.shard(s).name not in at_work]
            described.append({
                "artifact": classifier.features.name,
                "state": "waiting",
                "of": of,
                "missing": [str(shard) for shard in lacking],
                "command": re.sub(r"--shard[ =]\S+", [*left, "--merge"][0], like),
            })  # fmt: skip
    return described


def _shards_in_words(shards: dict[str, Any]) -> str:
    missing, of = shards["missing"], shards["of"]
    listed = ", ".join(missing[:SHOWN]) + ", ..." * (len(missing) > SHOWN)
    lacking = f"; missing, edited or stale: {listed}" if missing else ""
    there = f"{of - len(missing)} of {of} are there{lacking}"
    return f"shards of {shards['artifact']}: {there}; type: {shards['command']}"


def _next(findings: Sequence[Finding], staging_areas: Sequence[dict[str, Any]]) -> str | None:
    """The command for the first artifact that is not current; inputs come first."""
    for finding in findings:
        if finding.state != "current":
            name = finding.artifact.name
            waiting = [d for d in staging_areas if (d["artifact"], d["state"]) == (name, "waiting")]
            return waiting[-1]["command"] if waiting else finding.command
    return None


def _in_words(staging: dict[str, Any]) -> str:
    size, age = _size(staging["bytes"]), _age(staging["seconds_old"])
    started = f"{staging['artifact']}, {size}, started {age} ago"
    return {
        "being written": f"being written now: {started}",
        "waiting": f"unfinished: {started}; resume: {staging['command']}",
        "outdated": f"unfinished: {started}, its inputs changed since; remove: {staging['folder']}",
    }[staging["state"]]


def _bytes(folder: Path) -> int:
    """The size of a folder's files, some of which another process may be removing."""
    total = 0
    for path, _, files in os.walk(folder):
        for file in files:
            with contextlib.suppress(OSError):
                total += Path(path, file).stat().st_size
    return total


def _seconds_since(record: Any) -> int | None:
    """Seconds since a manifest was written, if recorded."""
    try:
        created = datetime.strptime(record["created"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except (KeyError, TypeError, ValueError):
        return None
    return max(0, round(time.time() - created.timestamp()))


def _size(number: float) -> str:
    """Bytes in a readable unit."""
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:,.1f} GB"


def _age(seconds: int | None) -> str:
    """Seconds in the largest unit that gives two or more."""
    if seconds is None:
        return ""
    for unit, length in (("days", 86_400), ("hours", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
