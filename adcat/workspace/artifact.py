"""The folder that a pipeline lives in, and the rule that nothing in it is half-written or stale.

An artifact is a folder named after the command that makes it. It is built in `.partial/` and
renamed into place, whole or not at all. Its `manifest.json` holds the settings, the digest of each
artifact that it was made from and the sha256 of each file; the digest of that is the artifact's
digest. An artifact is *stale* once something that it was made from, directly or not, has another
digest than it had then.
"""

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

from adcat.errors import BadInputError, MissingArtifactError, StaleArtifactError
from adcat.workspace import command_lines
from adcat.workspace.digests import USUAL, FileDigests, Look
from adcat.workspace.manifest import MANIFEST, Manifest
from adcat.workspace.staging import Staging, StagingArea

HALF_REPLACED = "was being replaced by a command that was killed; any other command mends it"

State: TypeAlias = Literal["missing", "damaged", "stale", "current"]


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """What there is to say of an artifact as it stands."""

    artifact: "Artifact"
    state: State
    problem: str = ""  # of it, or of what makes it stale
    manifest: Manifest | None = None
    origin: "Finding | None" = None  # the input, direct or not, whose problem makes it stale

    @property
    def command(self) -> str:
        """What makes the artifact again, with the options of the last time."""
        record = self.manifest.record if self.manifest else {}
        return command_lines.like(record, self.artifact.root, self.artifact.name)


@dataclasses.dataclass(frozen=True, slots=True)
class Artifact:
    """One folder of a workspace. It may not exist yet."""

    root: Path
    name: str

    @property
    def path(self) -> Path:
        """The folder."""
        return self.root / self.name

    def __truediv__(self, file: str) -> Path:
        return self.path / file

    @property
    def command(self) -> str:
        """What a user types to make it."""
        return command_lines.shortest(self.root, self.name)

    def manifest(self) -> Manifest:
        """Reads the manifest without checking what it says.

        Raises:
          MissingArtifactError: the artifact was never made.
          StaleArtifactError: the manifest cannot be read.
        """
        try:
            return self._manifest()
        except FileNotFoundError:
            raise MissingArtifactError(f"{self.path} is missing; make it: {self.command}") from None
        except BadInputError as error:
            raise StaleArtifactError(f"{error}; make it again: {self.command}") from None

    def _manifest(self) -> Manifest:
        self.staging_area.wait()
        return Manifest.read(self / MANIFEST)

    def exists(self) -> bool:
        """Whether it was ever made and not deleted; a moment of its replacement does not count."""
        self.staging_area.wait()
        return self.path.exists() or self.staging_area.is_half_replaced

    def check(self, known: "dict[str, Finding] | None" = None) -> Manifest:
        """Returns the manifest, having checked this artifact and all that it was made from.

        Args:
          known: findings by name that are not made twice; new ones are added.

        Raises:
          MissingArtifactError: it, or something that it was made from, does not exist.
          StaleArtifactError: a file in it, or an input, changed after it was made.
        """
        finding = self.examine({} if known is None else known)
        if finding.state == "current" and finding.manifest:
            return finding.manifest
        origin = finding.origin or finding
        if origin.state == "missing":
            raise MissingArtifactError(f"{origin.problem}; make it: {origin.command}")
        raise StaleArtifactError(f"{origin.problem}; make it again: {origin.command}")

    def examine(self, known: dict[str, Finding], look: Look = USUAL) -> Finding:
        """Looks at this artifact and at all that it was made from.

        Args:
          known: findings by name that are not made twice; new ones are added.
          look: how closely to look at files.
        """
        if self.name not in known:
            itself = f"{self / MANIFEST} names the artifact itself among what it was made from"
            known[self.name] = Finding(self, "damaged", itself)  # until more is known
            known[self.name] = self._examine(known, look)
        return known[self.name]

    def _examine(self, known: dict[str, Finding], look: Look) -> Finding:
        try:
            manifest = self._manifest()
        except FileNotFoundError:
            return self._absent()
        except BadInputError as error:
            return Finding(self, "damaged", str(error))
        edited = self.digests.first_difference(manifest.files, look)
        if edited:
            return Finding(self, "damaged", f"{self / edited} was edited", manifest)
        inputs = [Artifact(self.root, name) for name in manifest.inputs]
        sources = [artifact.examine(known, look) for artifact in inputs]
        for source in sources:  # first: what is wrong with one is to be mended before
            if source.state != "current":
                origin = source.origin or source
                return Finding(self, "stale", origin.problem, manifest, origin)
        for source in sources:
            name = source.artifact.name
            if source.manifest and source.manifest.digest != manifest.inputs[name]:
                before = manifest.record.get("made_from", {}).get(name, {})
                changes = _changes(before, source.manifest.settings)
                problem = f"{self.path} was made from an older {name}{changes}"
                return Finding(self, "stale", problem, manifest)
        return Finding(self, "current", "", manifest)

    def _absent(self) -> Finding:
        if self.staging_area.is_half_replaced:
            return Finding(self, "damaged", f"{self.path} {HALF_REPLACED}")
        return Finding(self, "missing", f"{self.path} is missing")

    def is_intact(self, manifest: Manifest, files: Iterable[str]) -> bool:
        """Whether these files are all there, as the manifest says."""
        expected = {file: manifest.files.get(file, "") for file in files}
        return self.digests.first_difference(expected) is None

    @property
    def digests(self) -> FileDigests:
        """The digests of its files."""
        return FileDigests(self.path, self._cache)

    @property
    def _cache(self) -> Path:
        return self.root / ".cache" / f"{self.name}.json"

    @property
    def staging_area(self) -> StagingArea:
        """Where it is made."""
        return StagingArea(self.path, self.root / ".partial" / self.name, self._cache)

    @contextlib.contextmanager
    def write(
        self, settings: Any, inputs: Iterable["Artifact"] = (), *, resume: bool = False
    ) -> Iterator[Staging]:
        """Yields a staging folder that becomes this artifact when the block ends without an error.

        Args:
          settings: every choice that the content depends on, as a dataclass instance or by name.
          inputs: the artifacts that the content is made from; checked here, and not replaced
            until the block ends.
          resume: whether the folder is kept when the block fails, and resumed by a run with the
            same settings and inputs. What such a block writes must be valid at any moment.

        Raises:
          BusyError: another process is writing or reading this artifact.
        """
        with reading(inputs) as sources:
            manifest = Manifest(
                settings=settings if isinstance(settings, dict) else dataclasses.asdict(settings),
                inputs={name: source.digest for name, source in sources.items()},
                record={"made_from": {name: source.settings for name, source in sources.items()}},
            )
            with self.staging_area.write(manifest, resume=resume) as staging:
                yield staging


@contextlib.contextmanager
def reading(artifacts: Iterable[Artifact]) -> Iterator[dict[str, Manifest]]:
    """Checks artifacts, and keeps them from being replaced for the length of the block.

    Yields:
      Their manifests by name.

    Raises:
      MissingArtifactError: one of them, or something that it was made from, does not exist.
      StaleArtifactError: one of them is stale or was edited.
    """
    with contextlib.ExitStack() as stack:
        sources = list(artifacts)
        for source in sources:
            stack.enter_context(source.staging_area.reading())
        yield {source.name: source.check() for source in sources}


def _changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Which settings differ, in words; nothing where they are the same or are not known."""
    differing = [name for name in now if name in before and before[name] != now[name]]
    words = (f"{name} {before[name]!r} became {now[name]!r}" for name in differing)
    return f" ({', '.join(words)})" if differing else ""
