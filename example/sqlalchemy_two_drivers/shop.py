"""The objects that are stored, with columns of many types; nothing of pods or drivers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import zip_longest
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.dialects import postgresql


class Base(orm.DeclarativeBase):
    """What the tables have in common."""

    type_annotation_map = {  # noqa: RUF012 - as SQLAlchemy has it
        dict[str, Any]: postgresql.JSONB,
        list[str]: postgresql.ARRAY(sa.Text),
        datetime: sa.DateTime(timezone=True),
    }


class Shop(Base):
    """A shop and its items."""

    __tablename__ = "shop"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    who: orm.Mapped[str]
    number: orm.Mapped[int]
    key: orm.Mapped[UUID]
    turnover: orm.Mapped[Decimal] = orm.mapped_column(sa.Numeric(20, 6))
    opened: orm.Mapped[datetime]
    open_for: orm.Mapped[timedelta]
    logo: orm.Mapped[bytes | None]
    tags: orm.Mapped[list[str]]
    about: orm.Mapped[dict[str, Any]]
    items: orm.Mapped[list[Item]] = orm.relationship(order_by="Item.name")


class Item(Base):
    """Something that a shop sells."""

    __tablename__ = "item"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
    shop_id: orm.Mapped[int] = orm.mapped_column(sa.ForeignKey("shop.id"))
    name: orm.Mapped[str]


FIELDS = ("number", "key", "turnover", "opened", "open_for", "logo", "tags", "about")


def make_shops(who: str, count: int) -> list[Shop]:
    """Return so many shops of two items each."""
    return [
        Shop(
            who=who,
            number=i,
            key=UUID(int=i * 2**64 + i),
            turnover=Decimal(f"{i}234567890.{i % 10**6:06}"),
            opened=datetime(2024, 2, 29, 12, 30, 1, i % 10**6, tzinfo=UTC),
            open_for=timedelta(days=-i, microseconds=i),
            logo=bytes(range(256)) * (i % 3) if i % 8 else None,
            tags=["", 'a,"b"\\{}', f"第 {i} 行 🐎"],
            about={"i": i, "nested": [1, None, True, {"ratio": i / 8}]},
            items=[Item(name=f"{who} {i} a"), Item(name=f"{who} {i} b")],
        )
        for i in range(count)
    ]


def find_differences(found: Sequence[Shop], expected: Sequence[Shop]) -> int:
    """Return how many are not as they should be, in any value or in the type of one."""
    return sum(
        left is None or right is None or describe(left) != describe(right)
        for left, right in zip_longest(found, expected)
    )


def describe(shop: Shop) -> list[tuple[type, Any]]:
    """Return the values of a shop with their types."""
    values = [getattr(shop, name) for name in FIELDS] + [each.name for each in shop.items]
    return [(type(value), value) for value in values]
