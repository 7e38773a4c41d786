"""Everything that adcat tells a user went wrong.

Any module raises these; only `adcat.cli` catches them. A message says in one or two lines what was
found, what was expected, and what to type or change.
"""


class AdcatError(Exception):
    """Base class: the command line prints the message without a traceback and exits with 1."""


class BadInputError(AdcatError):
    """A file or value given by the user does not have the promised form."""


class MissingArtifactError(AdcatError):
    """A step was run before the step that makes its input."""


class StaleArtifactError(AdcatError):
    """An artifact was edited, or was made from something older than what stands there now."""


class BusyError(AdcatError):
    """Another process is writing the same artifact."""


class DivergedError(AdcatError):
    """Training ended in numbers that are not finite."""
