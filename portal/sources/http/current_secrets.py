"""The secrets that one session sends: those of its start, or the present ones once a refusal shows that one was
replaced."""

from collections.abc import Callable, Mapping, Sequence

from portal.sources.recipes.filling import FilledRequest
from portal.sources.recipes.placeholders import secrets_mark


class CurrentSecrets:
    """Secrets by name. `present` gives them as they are now."""

    def __init__(
        self, names: Sequence[str], environ: Mapping[str, str], present: Callable[[], Mapping[str, str]] | None = None
    ) -> None:
        self.environ = environ
        self._names, self._present = names, present or (lambda: environ)

    def values(self) -> list[str]:
        """The recipe's secrets that are set."""
        return self._values_in(self.environ)

    @property
    def mark(self) -> str:
        """A mark that changes with them, as `placeholders.secrets_mark`."""
        return secrets_mark(self._names, self.environ)

    def is_outdated(self, filled: FilledRequest) -> bool:
        """Whether a secret in this request has been replaced since: then `environ` has the present ones from now on."""
        if not filled.keys:
            return False
        present = self._present()
        values = self._values_in(present)
        if len(values) < len(self._names) or set(filled.keys) <= set(values):
            return False
        self.environ = present
        return True

    def _values_in(self, environ: Mapping[str, str]) -> list[str]:
        return [value for name in self._names if (value := environ.get(name, "").strip())]
