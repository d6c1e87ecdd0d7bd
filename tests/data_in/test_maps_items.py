"""What becomes of catalogs: Google's product feed, schema.org products, MovieLens' films; and of lists of ratings."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.data.maps.registry import table_map
from segue.data.read.files import parts
from segue.data.read.read import read_part
from segue.data.settings import EventSource
from segue.domain.errors import ReadError
from tests.data_in.mapping import BATCH, items, json_lines, taken

GONE = datetime(1970, 1, 1, tzinfo=UTC)
FEED = """<?xml version="1.0"?>
<rss xmlns:g="http://base.google.com/ns/1.0" version="2.0"><channel><title>The shop</title>
<item>
  <title>not this one</title><g:id>tv-1</g:id><g:title>Television &amp; stand</g:title>
  <g:description>Six &gt; five</g:description><g:image_link>https://shop.example/tv.png</g:image_link>
  <g:availability>in_stock</g:availability><g:price>1,499.00 USD</g:price><g:sale_price>1299 USD</g:sale_price>
  <g:product_type>Home &gt; Screens</g:product_type><g:product_type>Sale</g:product_type>
  <g:item_group_id>tv</g:item_group_id>
  <g:shipping><g:country>US</g:country><g:price>3 USD</g:price></g:shipping>
</item>
<item><g:id>tv-2</g:id><g:title>Small</g:title><g:price>cheap</g:price></item>
<item><g:id>tv-3</g:id><g:title>Old</g:title><g:availability>out of stock</g:availability>
<g:price>10.50 EUR</g:price></item>
</channel></rss>
"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom" xmlns:g="http://base.google.com/ns/1.0"><title>The shop</title>
<entry><id>tag:1</id><link href="https://shop.example/1"/><title>Mug</title>
<g:id>mug</g:id><g:price>7 EUR</g:price></entry>
</feed>
"""
TABS = "\t".join(
    ("id", "title", "image link", "availability", "price", "sale_price", "sale_price_effective_date", "product type")
)


def written(folder: Path, name: str, text: str) -> Path:
    """A file with this text."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_feed_of_google_in_rss(tmp_path: Path) -> None:
    found = items(written(tmp_path, "feed.xml", FEED), "google")
    assert found.column("id") == ["tv-1", "tv-3"]
    assert found.column("title") == ["Television & stand", "Old"]
    assert (found.column("price"), found.column("currency")) == ([1299.0, 10.5], ["USD", "EUR"])
    assert found.column("categories")[0] == ["Home", "Screens", "Sale"]
    assert (found.column("group")[0], found.column("text")[0]) == ("tv", "Six > five")
    assert found.column("available_to") == [None, GONE]
    kept = json.loads(found.column("attributes")[0])
    assert kept["list_price"] == "1,499.00 USD"
    assert kept["shipping"] == {"country": "US", "price": "3 USD"}
    assert [(row.line, row.reason) for row in found.broken] == [(11, "the price is no number")]
    assert found.broken[0].raw.startswith("<item><g:id>tv-2")


def test_an_item_that_quarantine_kept_is_read_again_when_it_is_mended(tmp_path: Path) -> None:
    (broken,) = items(written(tmp_path, "feed.xml", FEED), "google").broken
    mended = written(tmp_path, "mended.xml", broken.raw.replace("cheap", "9 USD") + "\n")
    found = items(mended, "google")
    assert (found.column("id"), found.column("price"), found.broken) == (["tv-2"], [9.0], [])
    declared = items(written(tmp_path, "declared.xml", '<?xml version="1.0"?>\n' + mended.read_text()), "google")
    assert declared.column("id") == ["tv-2"]


def test_a_feed_of_google_in_atom(tmp_path: Path) -> None:
    found = items(written(tmp_path, "feed.xml", ATOM), "google")
    assert (found.column("id"), found.column("title"), found.column("price")) == (["mug"], ["Mug"], [7.0])
    assert json.loads(found.column("attributes")[0]) == {"link": "https://shop.example/1"}


def test_a_feed_of_google_as_text(tmp_path: Path) -> None:
    sale = "2025-02-24T11:07+0100/2025-02-29T23:07+0100"
    rows = [("1", "Hat", "https://x/1.png", "in stock", "15,00 EUR", "12 EUR", sale, "Clothes > Hats")]
    text = "\n".join([TABS, *("\t".join(row) for row in rows)]) + "\n"
    found = items(written(tmp_path, "feed.txt", text), "google")
    assert (found.column("price"), found.column("currency")) == ([15.0], ["EUR"])
    assert found.column("categories") == [["Clothes", "Hats"]]
    assert found.column("image") == ["https://x/1.png"]
    assert json.loads(found.column("attributes")[0])["sale_price"] == "12 EUR"
    commas = items(written(tmp_path, "feed.csv", 'id,title,link,price\n1,"A, B",x,"1.299,00 EUR"\n'), "google")
    assert (commas.column("title"), commas.column("price")) == (["A, B"], [1299.0])


@pytest.mark.parametrize(
    "text", [FEED.replace("</channel>", ""), '<!DOCTYPE r [<!ENTITY a "b">]><rss><item>&a;</item></rss>']
)
def test_a_feed_that_is_no_xml_or_declares_entities_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ReadError, match="no well-formed XML"):
        items(written(tmp_path, "feed.xml", text), "google")


CHAIR: dict[str, Any] = {
    "@context": "https://schema.org",
    "@type": "Product",
    "sku": "chair",
    "name": "Chair",
    "category": "Home > Chairs",
    "brand": {"@type": "Brand", "name": "Oak"},
    "image": ["https://shop.example/1.png", "https://shop.example/2.png"],
    "offers": [
        {"@type": "Offer", "price": "20.50", "priceCurrency": "EUR", "availability": "https://schema.org/OutOfStock"},
        {"@type": "Offer", "price": 25, "priceCurrency": "EUR", "availability": "InStock"},
    ],
}
COAT: dict[str, Any] = {
    "@type": "ProductGroup",
    "productGroupID": "coat",
    "name": "Coat",
    "brand": "Wool",
    "variesBy": "size",
    "hasVariant": [
        {
            "@type": "Product",
            "sku": "coat-s",
            "offers": {"@type": "AggregateOffer", "lowPrice": 90, "priceCurrency": "EUR"},
        },
        {"@type": "Product", "sku": "coat-m", "name": "Coat M", "offers": {"availability": "SoldOut", "price": 95}},
        {"@type": "Product", "url": "https://shop.example/coat-l"},
    ],
}
PAGE = f"""<!doctype html><html><head><title>A <b>page</b></title>
<script type="application/ld+json">{{"@type": "Organization", "name": "The shop"}}</script>
<!-- <script type="application/ld+json">{{"@type": "Product", "sku": "not sold"}}</script> -->
<script>let unlike = "<script type='application/ld+json'>";</script>
<script type="application/ld+json">
{json.dumps({"@context": "https://schema.org", "@graph": [CHAIR, COAT]}, indent=1)}
</script>
<script type="application/ld+json">{{"oops"</script></head></html>
"""


def test_products_of_schema_org_in_a_document(tmp_path: Path) -> None:
    found = items(written(tmp_path, "chair.json", json.dumps(CHAIR, indent=2)), "schema_org")
    (chair,) = found.rows
    assert (chair["id"], chair["title"], chair["categories"]) == ("chair", "Chair", ["Home", "Chairs"])
    assert (chair["price"], chair["currency"], chair["available_to"]) == (25.0, "EUR", None)
    assert chair["image"] == "https://shop.example/1.png"
    assert json.loads(chair["attributes"])["brand"]["name"] == "Oak"


def test_products_of_schema_org_in_a_page(tmp_path: Path) -> None:
    found = items(written(tmp_path, "page.html", PAGE), "schema_org")
    assert found.column("id") == ["chair", "coat-s", "coat-m"]
    assert found.column("title") == ["Chair", "Coat", "Coat M"]
    assert found.column("group") == [None, "coat", "coat"]
    assert found.column("price") == [25.0, 90.0, 95.0]
    assert found.column("available_to") == [None, None, GONE]
    assert json.loads(found.column("attributes")[1])["brand"] == "Wool"
    assert sum(found.left_out.values()) == 2
    assert found.reasons == ["no JSON object: it is not written as JSON"]


def test_products_of_schema_org_in_lines_and_by_group(tmp_path: Path) -> None:
    variant = {
        "@type": "https://schema.org/Product",
        "sku": "v",
        "isVariantOf": {"@id": "#g"},
        "offers": {"price": "x"},
    }
    group = {"@type": "ProductGroup", "@id": "#g", "productGroupID": "coat"}
    listed = {
        "@type": "ItemList",
        "itemListElement": [{"@type": "ListItem", "item": variant | {"offers": None}}, group],
    }
    found = items(json_lines(tmp_path, [CHAIR, variant, listed], "lines.jsonl"), "schema_org")
    assert found.column("id") == ["chair", "v"]
    assert found.column("group") == [None, "coat"]
    assert found.reasons == ["the price is no number"]
    assert found.left_out == {"ProductGroup: its variants are the items": 1}


ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["Product", "ProductGroup", "x > y"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["@type", "sku", "@id", "offers", "hasVariant", "isVariantOf", "price", "k"]), inner
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from([*CHAIR, *COAT, "@id", "isVariantOf"]), ANY))
def test_whatever_a_product_holds_it_is_kept_broken_or_left_out(
    tmp_path_factory: pytest.TempPathFactory, document: dict[str, Any]
) -> None:
    path = written(tmp_path_factory.getbasetemp(), "any.json", json.dumps(document, indent=1))
    found = items(path, "schema_org")
    assert len(found.rows) + len(found.broken) + sum(found.left_out.values()) >= 1


@given(st.dictionaries(st.sampled_from(["id", "title", "price", "sale_price", "product_type", "availability"]), ANY))
def test_whatever_a_feed_holds_it_is_kept_or_broken(
    tmp_path_factory: pytest.TempPathFactory, row: dict[str, Any]
) -> None:
    cells = {key: json.dumps(value).replace("\t", " ") for key, value in row.items()} | {"link": "x"}
    text = "\t".join(cells) + "\n" + "\t".join(cells.values()) + "\n"
    found = items(written(tmp_path_factory.getbasetemp(), "any.tsv", text), "google")
    assert len(found.rows) + len(found.broken) == 1


PIECES = (b"<script", b'type="application/ld+json">', b"</script>", b"<!--", b"-->", b'{"@type":', b"<![", b"\xff")


@given(st.lists(st.sampled_from(PIECES)))
def test_whatever_a_page_holds_it_is_read(tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]) -> None:
    path = tmp_path_factory.getbasetemp() / "any.html"
    path.write_bytes(b"<html>\n" + b"\n".join(pieces))
    found = items(path, "schema_org")
    assert not found.rows
    assert all(1 < row.line <= len(pieces) + 1 for row in found.broken)


MOVIELENS = EventSource(map="movielens")
RATINGS = {
    "ratings.csv": "userId,movieId,rating,timestamp\n1,31,2.5,1260759144\n",
    "ratings.dat": "1::31::2.5::1260759144\n",
    "u.data": "1\t31\t2.5\t1260759144\n",
}


@pytest.mark.parametrize("name", sorted(RATINGS))
def test_ratings_of_movielens_of_every_age(tmp_path: Path, name: str) -> None:
    (row,) = taken(written(tmp_path, name, RATINGS[name]), EventSource(map="movielens")).rows
    assert (row["user"], row["item"], row["value"], row["type"]) == ("1", "31", 2.5, "rating")
    assert row["time"] == datetime(2009, 12, 14, 2, 52, 24, tzinfo=UTC)


def test_lines_that_are_not_as_they_should_be_do_not_change_how_the_others_are_read(tmp_path: Path) -> None:
    found = taken(written(tmp_path, "ratings.dat", "1::2::x::978300760\n1::2::3\n1::2::3::978300760\n"), MOVIELENS)
    assert [(row.line, row.reason) for row in found.broken] == [
        (1, "the value is no number"),
        (2, "4 columns were expected, 3 found"),
    ]
    assert found.column("item") == ["2"]


FLAGS = "|".join("1" if place in (4, 8) else "0" for place in range(19))
MOVIES = {
    "movies.csv": 'movieId,title,genres\n1,"Café, The (1995)",Children\'s|Drama\n2,No year,(no genres listed)\n',
    "movies.dat": "1::Café, The (1995)::Children's|Drama\n2::No year::\n" + "3::Another (1990)::War\n" * 20,
    "u.item": f"1|Café, The (1995)|01-Jan-1995||http://x|{FLAGS}\n2|No year|||x|{FLAGS.replace('1', '0')}\n",
}


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
@pytest.mark.parametrize("name", sorted(MOVIES))
def test_films_of_movielens_of_every_age(tmp_path: Path, name: str, encoding: str) -> None:
    path = tmp_path / name
    path.write_bytes(MOVIES[name].encode(encoding if name != "movies.csv" else "utf-8"))
    found = items(path, "movielens")
    assert found.column("title")[:2] == ["Café, The (1995)", "No year"]
    assert [list(genres or []) for genres in found.column("categories")[:2]] == [["Children's", "Drama"], []]
    assert found.column("released")[:2] == [datetime(1995, 1, 1, tzinfo=UTC), None]


def test_lists_of_lightgcn_give_an_event_an_item(tmp_path: Path) -> None:
    found = taken(written(tmp_path, "train.txt", "0 5 6  7\n1\n2\t9\n"), EventSource(map="lightgcn"))
    assert [(row["user"], row["item"]) for row in found.rows] == [("0", "5"), ("0", "6"), ("0", "7"), ("2", "9")]
    assert found.column("id")[:2] == [f"{BATCH[:16]}-0000000001.000000", f"{BATCH[:16]}-0000000001.000001"]
    assert found.left_out == {"a person without items": 1}


@pytest.mark.data
def test_gowalla_as_lightgcn_published_it(data_dir: Path) -> None:
    source = EventSource(map="lightgcn")
    reader = table_map(source)
    assert reader is not None
    counts = {
        PurePath(part.name).name: sum(len(rows) for rows in read_part(part, source))
        for part in parts(data_dir / "gowalla" / "light_gcn_gowalla.zip")
        if reader.wants(part.name)
    }
    assert counts == {"train.txt": 810_128, "test.txt": 217_242}  # as the data set's own README counts them


@pytest.mark.data
def test_films_of_movielens_1m(data_dir: Path) -> None:
    found = items(data_dir / "ml-1m" / "movies.dat", "movielens")
    assert (len(found.rows), found.broken) == (3_883, [])
    assert all(film["released"] is not None and film["categories"] for film in found.rows)
