"""`ScrapingJob.objects` and `User.objects`: Django-style queries for `flask shell`, as in the old system. Read only.

A read that began a transaction also ends it: on SQLite an open one holds the write lock, and a shell left open over
lunch would block the whole portal. Pages must not query here: `jobs.queries` decides who may see what.
"""

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, and_, func, inspect, not_, select, true
from sqlalchemy.orm import joinedload

from portal.database import Model, db

T = TypeVar("T", bound=Model)
Compare = Callable[[Any, Any], ColumnElement[bool]]
ROWS_SHOWN = 20  # rows that the shell prints of a longer result

COMPARISONS: dict[str, Compare] = {
    "exact": operator.eq,
    "in": lambda column, values: column.in_(list(values)),
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "isnull": lambda column, empty: column.is_(None) if empty else column.is_not(None),
    "contains": lambda column, text: column.contains(text, autoescape=True),
    "icontains": lambda column, text: column.icontains(text, autoescape=True),
    "startswith": lambda column, text: column.startswith(text, autoescape=True),
}


class DoesNotExist(LookupError):
    """`get` found no row."""


class MultipleObjectsReturned(LookupError):
    """`get` found several rows."""


@dataclass(frozen=True)
class Count:
    """The number of rows in a group, for `annotate`."""

    field: str = "id"


@dataclass(frozen=True, repr=False)
class QuerySet(Generic[T]):
    """A query over one table that runs when its rows are used. Every method returns a new query and changes nothing."""

    model: type[T]
    condition: ColumnElement[bool] = field(default_factory=true)
    order: tuple[Any, ...] = ()
    aliases: Mapping[str, Callable[[Any], ColumnElement[bool]]] = field(default_factory=dict)

    def all(self) -> "QuerySet[T]":
        return self

    def filter(self, **lookups: Any) -> "QuerySet[T]":
        """Keep rows that match all conditions: `status="failed"`, `status__in=[…]`, `retry_count__gt=1`…

        Raises ValueError for an unknown field or comparison.
        """
        return replace(self, condition=and_(self.condition, *self._conditions(lookups)))

    def exclude(self, **lookups: Any) -> "QuerySet[T]":
        """Drop rows that match all conditions."""
        return replace(self, condition=and_(self.condition, not_(and_(true(), *self._conditions(lookups)))))

    def order_by(self, *names: str) -> "QuerySet[T]":
        """Sort by these fields; a leading minus reverses one."""
        order = [self._column(name.lstrip("-")) for name in names]
        directed = (column.desc() if name[0] == "-" else column for name, column in zip(names, order, strict=True))
        return replace(self, order=tuple(directed))

    def get(self, **lookups: Any) -> T:
        """Return the only row that matches. Raises DoesNotExist or MultipleObjectsReturned, both LookupErrors."""
        found = _read(self.filter(**lookups)._select().limit(2))
        conditions = ", ".join(f"{name}={value!r}" for name, value in lookups.items())
        if not found:
            raise DoesNotExist(f"There is no {self.model.__name__} with {conditions}.")
        if len(found) > 1:
            raise MultipleObjectsReturned(f"There is more than one {self.model.__name__} with {conditions}.")
        return found[0]

    def first(self) -> T | None:
        return next(iter(_read(self._select().limit(1))), None)

    def count(self) -> int:
        return int(_read(select(func.count()).select_from(self.model).where(self.condition))[0])

    def values(self, *names: str) -> "ValuesQuerySet":
        """Return only these fields, one dictionary a row; with `annotate`, one a group."""
        return ValuesQuerySet(self, names or tuple(column.key for column in inspect(self.model).column_attrs))

    def __iter__(self) -> Iterator[T]:
        return iter(_read(self._select()))

    def __len__(self) -> int:
        return self.count()

    def __getitem__(self, place: int | slice) -> Any:
        return _read(self._select())[place]

    def __repr__(self) -> str:
        return _shown(_read(self._select().limit(ROWS_SHOWN + 1)))

    def _select(self) -> Select[Any]:
        order = self.order or tuple(inspect(self.model).primary_key)
        joined = [joinedload(getattr(self.model, relation.key)) for relation in inspect(self.model).relationships]
        return select(self.model).where(self.condition).order_by(*order).options(*joined)

    def _column(self, name: str) -> Any:
        known = inspect(self.model).all_orm_descriptors
        if name not in known:
            raise ValueError(f"{self.model.__name__} has no field {name!r}. Fields: {', '.join(sorted(known.keys()))}.")
        return getattr(self.model, name)

    def _conditions(self, lookups: Mapping[str, Any]) -> Iterator[ColumnElement[bool]]:
        for lookup, value in lookups.items():
            name, _, comparison = lookup.partition("__")
            if lookup in self.aliases:
                yield self.aliases[lookup](value)
            elif (comparison or "exact") not in COMPARISONS:
                raise ValueError(f"{comparison!r} is not a comparison. Use one of: {', '.join(COMPARISONS)}.")
            else:
                yield COMPARISONS[comparison or "exact"](self._column(name), value)


@dataclass(frozen=True, repr=False)
class ValuesQuerySet:
    """A query that returns some fields as dictionaries, or groups with their numbers of rows."""

    rows: QuerySet[Any]
    names: tuple[str, ...]
    counts: tuple[tuple[str, Count], ...] = ()

    def annotate(self, **counts: Count) -> "ValuesQuerySet":
        """Group the rows by the fields, with a count under each name."""
        return replace(self, counts=(*self.counts, *counts.items()))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        columns = [self.rows._column(name) for name in self.names]
        counted = [func.count(self.rows._column(count.field)) for _, count in self.counts]
        query = select(*columns, *counted).where(self.rows.condition).order_by(*(self.rows.order or columns))
        names = (*self.names, *(name for name, _ in self.counts))
        for row in _read(query.group_by(*columns) if counted else query, whole_rows=True):
            yield {n: str(v) if isinstance(v, StrEnum) else v for n, v in zip(names, row, strict=True)}

    def __repr__(self) -> str:
        return _shown(list(self))


class Objects:
    """The class attribute `objects`: all rows of a table, except those marked as deleted.

    `aliases` are names that conditions may use besides the fields, each with the condition it stands for.
    """

    def __init__(self, **aliases: Callable[[Any], ColumnElement[bool]]) -> None:
        self.aliases = aliases

    def __get__(self, instance: object, owner: type[T]) -> QuerySet[T]:
        deleted_at = getattr(owner, "deleted_at", None)
        return QuerySet(owner, true() if deleted_at is None else deleted_at.is_(None), aliases=self.aliases)


def _read(statement: Select[Any], *, whole_rows: bool = False) -> list[Any]:
    session = db.session()
    began = not session.in_transaction()
    unsaved = bool(session.new or session.dirty or session.deleted)
    with session.no_autoflush:  # unsaved changes must be neither written nor lost
        result = session.execute(statement, execution_options={"populate_existing": not unsaved})
        found = list(result if whole_rows else result.scalars())
    if began and not unsaved:
        session.commit()
    return found


def _shown(found: list[Any]) -> str:
    more = ", …" if len(found) > ROWS_SHOWN else ""
    return f"[{', '.join(map(repr, found[:ROWS_SHOWN]))}{more}]"
