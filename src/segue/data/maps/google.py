"""Google's product feed, as text with tabs or commas, or as XML (RSS 2.0, Atom) with attributes of the namespace g:.

An item that is out of stock or discontinued is available to nobody: `available_to` is 1970 then, until a later feed has
it back. The price is that of the sale, where no date bounds the sale; the usual one is `list_price` then.

Specifications: https://support.google.com/merchants/answer/7052112 (attributes) and .../answer/14987622 (RSS 2.0).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from segue.data.maps.map import Glimpse, ImportMap, LeftOut, Mapped, Record, Unfit
from segue.data.maps.product_xml import NAMESPACE, read_products
from segue.data.maps.records import RecordMap, Records, a_name, records_of
from segue.data.read.files import Part
from segue.data.read.read import read_part
from segue.data.settings import FileSource, ItemColumns, ItemSource

KNOWN: Final = frozenset(
    (
        *("id", "title", "description", "link", "image_link", "additional_image_link", "mobile_link", "availability"),
        *("availability_date", "expiration_date", "price", "sale_price", "sale_price_effective_date", "product_type"),
        *("google_product_category", "brand", "gtin", "mpn", "condition", "item_group_id", "color", "size", "gender"),
        *("age_group", "material", "pattern", "shipping", "identifier_exists", "adult", "custom_label_0"),
    )
)
TELLING: Final = 5  # of the known names, beside the id and the title, that no other table has together
GONE: Final = frozenset({"out_of_stock", "discontinued"})
NEVER: Final = "1970-01-01"
PRICE: Final = re.compile(r"^\s*(?:([A-Z]{3})\s*)?([0-9][0-9., ]*)\s*([A-Z]{3})?\s*$")
LEVELS: Final = re.compile(r"\s*>\s*")


def shape(given: Record) -> Iterator[Record | LeftOut | Unfit]:
    """One item of one product."""
    product = {_plain(name): value for name, value in given.items()}
    item = {key: value for key, value in product.items() if key not in ("price", "sale_price", "product_type")}
    paid, usual = product.get("price"), None
    if product.get("sale_price") and not product.get("sale_price_effective_date"):
        paid, usual = product["sale_price"], paid
    elif product.get("sale_price"):
        item["sale_price"] = product["sale_price"]
    amount, currency = _price(paid)
    if usual is not None:
        item["list_price"] = usual
    item |= {"price": amount, "currency": currency, "categories": _categories(product)}
    if re.sub(r"\W", "_", str(product.get("availability", "")).strip().lower()) in GONE:
        item["expiration_date"] = NEVER
    yield item


def _plain(name: str) -> str:
    """ "g:Image Link" and "image link" are image_link; a language or country behind it stays."""
    return name.strip().lower().removeprefix("g:").replace(" ", "_")


def _price(value: Any) -> tuple[Any, str | None]:
    """Amount and currency of "15.00 USD"; what is written otherwise stays as it is, for the reader to judge."""
    written = PRICE.match(value) if isinstance(value, str) else None
    if written is None:
        return value, None
    return _amount(written[2].replace(" ", "")), written[3] or written[1]


def _amount(digits: str) -> str:
    """1,299.00 and 1.299,00 as 1299.00; a point alone is the decimal sign, as the specification says."""
    if _THOUSANDS.fullmatch(digits):
        return digits.replace(",", "")
    return digits.replace(".", "").replace(",", ".") if _DECIMAL_COMMA.fullmatch(digits) else digits


_THOUSANDS: Final = re.compile(r"\d{1,3}(,\d{3})+(\.\d+)?")
_DECIMAL_COMMA: Final = re.compile(r"(\d{1,3}(\.\d{3})+|\d+),\d+")


def _categories(product: Record) -> list[str]:
    """All levels of product_type, which is the shop's own; of Google's category where there is none."""
    given = product.get("product_type") or product.get("google_product_category")
    cells = given if isinstance(given, list) else [given]
    levels = (level for cell in cells if a_name(cell) for level in LEVELS.split(str(cell)) if level)
    return list(dict.fromkeys(levels))


def records(part: Part, source: Mapped) -> Iterator[Records]:
    """The products of a part, whichever of the formats it is in."""
    head = part.head(1 << 16).lstrip(b"\xef\xbb\xbf \t\r\n")
    if head[:1] == b"<":
        yield from read_products(part)
        return
    first = head.split(b"\n", 1)[0]
    tabs = source.delimiter == "," and first.count(b"\t") > first.count(b",")
    plain = FileSource(
        format="csv", delimiter="\t" if tabs else source.delimiter, encoding=source.encoding, quote=source.quote
    )
    for rows in read_part(part, plain):
        yield records_of(rows)


def recognise(glimpse: Glimpse) -> str | None:
    """A feed in XML has Google's namespace; one of text names its attributes in the first line."""
    if glimpse.text.lstrip("\ufeff \t\r\n")[:1] == "<":
        if NAMESPACE in glimpse.text and re.search(r"<(item|entry)[\s>]", glimpse.text):
            return f"it is XML with items, and names the namespace {NAMESPACE}"
        return None
    first = glimpse.lines[0] if glimpse.lines else ""
    delimiter = "\t" if "\t" in first else ","
    named = [name for cell in first.split(delimiter) if (name := _plain(cell.strip().strip('"'))) in KNOWN]
    if {"id", "title"} <= set(named) and len(set(named)) >= TELLING + 2:
        return f"the first line names {len(named)} attributes of Google's product data, such as {', '.join(named[2:6])}"
    return None


SOURCE = ItemSource(
    columns=ItemColumns(
        id="id",
        title="title",
        text="description",
        categories="categories",
        group="item_group_id",
        price="price",
        currency="currency",
        available_from="availability_date",
        available_to="expiration_date",
        image="image_link",
    )
)

GOOGLE = ImportMap(
    "google",
    "https://support.google.com/merchants/answer/7052112",
    items=RecordMap(SOURCE, shape, recognise, records),
)
