"""Products as schema.org describes them in JSON-LD: a document, lines of them, or HTML pages that hold scripts of it.

Variants of a group are the items, with what the group says where a variant does not. An item that is out of stock or
discontinued is available to nobody: `available_to` is 1970 then, until a later document has it back.

Specifications: https://schema.org/Product, https://schema.org/ProductGroup and https://www.w3.org/TR/json-ld11/.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from segue.data.maps.linked_data import documents, in_html, read_linked
from segue.data.maps.map import Glimpse, ImportMap, LeftOut, Record, Unfit
from segue.data.maps.records import RecordMap, a_name, first_of
from segue.data.settings import ItemColumns, ItemSource

PRODUCTS: Final = frozenset(
    ("Product", "ProductModel", "IndividualProduct", "SomeProducts", "Vehicle", "Car", "Motorcycle", "ProductGroup")
)
GROUP: Final = "ProductGroup"
IDS: Final = ("productID", "sku", "gtin", "gtin14", "gtin13", "gtin12", "gtin8", "mpn", "@id", "url")
OWN: Final = frozenset({*IDS, "@type", "@context", "hasVariant", "variesBy", "productGroupID", "offers"})  # of a group
OTHERS: Final = frozenset(  # what says that another product is near, not that it is here
    ("isVariantOf", "isRelatedTo", "isSimilarTo", "isAccessoryOrSparePartFor", "isConsumableFor", "review", "model")
)
GONE: Final = frozenset({"OutOfStock", "SoldOut", "Discontinued"})
NEVER: Final = "1970-01-01"


def shape(document: Record) -> Iterator[Record | LeftOut | Unfit]:
    """The items of one document."""
    products, seen = _products(document)
    groups = {product["@id"]: product for product in products if isinstance(product.get("@id"), str)}
    if not products:
        yield LeftOut(f"{' and '.join(sorted(seen)[:3]) or 'a document without a type'}: no product")
    for product in products:
        variants = product.get("hasVariant")
        if GROUP not in _types(product):
            yield _item(product, groups)
        elif variants:
            yield from _variants(product, variants if isinstance(variants, list) else [variants])
        else:
            yield LeftOut("ProductGroup: its variants are the items")


def _products(document: Record) -> tuple[list[Record], set[str]]:
    """The products in a document, wherever they are, and the types of all else that was met."""
    found: list[Record] = []
    seen: set[str] = set()
    ahead: list[Any] = [document]
    while ahead:
        node = ahead.pop()
        if isinstance(node, list):
            ahead += reversed(node)
        elif isinstance(node, dict):
            types = _types(node)
            if types & PRODUCTS:
                found.append(node)
                continue
            seen |= types
            ahead += reversed([value for key, value in node.items() if key not in OTHERS])
    return found, seen


def _types(node: Record) -> set[str]:
    """ "Product" of "https://schema.org/Product", "schema:Product" and ["Product", "Car"]."""
    given = node.get("@type")
    types = given if isinstance(given, list) else [given]
    return {each.rpartition("/")[2].rpartition(":")[2] for each in types if isinstance(each, str)}


def _variants(group: Record, variants: list[Any]) -> Iterator[Record | LeftOut | Unfit]:
    said = {key: value for key, value in group.items() if key not in OWN}
    name = first_of(group, "productGroupID", "@id", "url", "name")
    for variant in variants:
        if not isinstance(variant, dict):
            yield Unfit("a variant is no object", "hasVariant")
        elif not variant.keys() - {"@type", "@id", "url"}:
            yield LeftOut("a variant that is only named: it is described elsewhere")
        else:
            yield _item(said | variant, {}) | {"group_id": _text(name)}


def _item(product: Record, groups: dict[str, Record]) -> Record:
    offer = _offer(product.get("offers"))
    price = first_of(offer, "price", "lowPrice") or _specified(offer.get("priceSpecification"), "price")
    currency = first_of(offer, "priceCurrency") or _specified(offer.get("priceSpecification"), "priceCurrency")
    gone = _ending(offer.get("availability")) in GONE
    return product | {
        "item_id": next((text for key in IDS if (text := _text(product.get(key)))), None),
        "name": _text(product.get("name")),
        "description": _text(product.get("description")),
        "categories": _categories(product.get("category")),
        "group_id": _group(product, groups),
        "price": price,
        "price_currency": _text(currency),
        "available_from": _text(offer.get("availabilityStarts")),
        "available_to": NEVER if gone else _text(offer.get("availabilityEnds")),
        "image_url": _text(product.get("image"), "url", "contentUrl"),
    }


def _offer(given: Any) -> Record:
    """The offer that counts: the first that can be had, else the first."""
    offers = [each for each in (given if isinstance(given, list) else [given]) if isinstance(each, dict)]
    inside = [each for offer in offers for each in _listed(offer.get("offers")) if isinstance(each, dict)]
    if inside and not any("price" in offer or "lowPrice" in offer for offer in offers):
        offers = inside
    there = (offer for offer in offers if _ending(offer.get("availability")) not in GONE)
    return next(there, offers[0] if offers else {})


def _specified(given: Any, key: str) -> Any:
    return next((each[key] for each in _listed(given) if isinstance(each, dict) and key in each), None)


def _listed(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [given]


def _ending(given: Any) -> str:
    """ "OutOfStock" of "https://schema.org/OutOfStock"."""
    return (_text(given, "@id") or "").rpartition("/")[2].rpartition(":")[2]


def _group(product: Record, groups: dict[str, Record]) -> str | None:
    given = _listed(product.get("isVariantOf"))[0] if product.get("isVariantOf") else None
    if isinstance(given, dict):
        known = groups.get(str(given.get("@id")), given)
        return _text(first_of(known, "productGroupID", "@id", "url"))
    return _text(given) or _text(product.get("inProductGroupWithID"))


def _categories(given: Any) -> list[str]:
    """All levels of "A > B", of each of several, or the names of objects."""
    cells = filter(None, (_text(each, "name", "codeValue") for each in _listed(given)))
    return list(dict.fromkeys(level.strip() for cell in cells for level in cell.split(">") if level.strip()))


def _text(given: Any, *keys: str) -> str | None:
    """The text of a value: itself, the first of a list, or what an object has as its value or under one of the keys."""
    if isinstance(given, list):
        return next((text for each in given[:100] if not isinstance(each, list) and (text := _text(each, *keys))), None)
    if isinstance(given, dict):
        return a_name(next((given[key] for key in ("@value", *keys, "@id") if key in given), None))
    return a_name(given)


def recognise(glimpse: Glimpse) -> str | None:
    """Some of the JSON objects, or the scripts of an HTML page, are products."""
    html = glimpse.text.lstrip("\ufeff \t\r\n")[:1] == "<"
    found = (
        [node for _, text in in_html(glimpse.text.encode()) for node in documents(text)] if html else glimpse.records
    )
    if not html:
        found = documents(glimpse.text.encode()) or found
    products = sum(len(_products(document)[0]) for document in found)
    linked = [document for document in found if "@context" in document or "@graph" in document or "@type" in document]
    if not products or len(linked) < 0.8 * len(found):
        return None
    where = "scripts of the page hold" if html else "the JSON holds"
    return f"{where} JSON-LD with {products:,} products, by their @type"


SOURCE = ItemSource(
    columns=ItemColumns(
        id="item_id",
        title="name",
        text="description",
        categories="categories",
        group="group_id",
        price="price",
        currency="price_currency",
        released="releaseDate",
        available_from="available_from",
        available_to="available_to",
        image="image_url",
    )
)

SCHEMA_ORG = ImportMap(
    "schema_org", "https://schema.org/Product", items=RecordMap(SOURCE, shape, recognise, read_linked)
)
