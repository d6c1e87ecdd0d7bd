"""What the simulated shop sells: its departments and shelves, and the words that its titles are made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shelf:
    """One shelf of the shop. `price` is the low and the high end of what usually lies on it."""

    department: str
    name: str
    price: tuple[float, float]
    nouns: tuple[str, ...]
    makes: tuple[str, ...]
    variants: tuple[str, ...]


def _shelf(department: str, name: str, low: float, high: float, nouns: str, makes: str, variants: str) -> Shelf:
    return Shelf(department, name, (low, high), *(tuple(words.split("|")) for words in (nouns, makes, variants)))


CLOTH_COLOURS = "natural|ink blue|moss|rust|charcoal"
WOODS = "oak|ash|walnut|black stain"
GLAZES = "speckled white|celadon|iron black|sand"

SHELVES: tuple[Shelf, ...] = (
    _shelf("Kitchen", "Coffee and tea", 9, 95, "pour-over set|hand grinder|gooseneck kettle|teapot|espresso cup pair",
           "stoneware|borosilicate|brushed steel|enamelled", GLAZES),
    _shelf("Kitchen", "Knives and boards", 14, 160, "chef's knife|paring knife|bread knife|end-grain board|rack",
           "carbon steel|damascus|olive wood|beech", "16 cm|20 cm|24 cm"),
    _shelf("Kitchen", "Pots and pans", 24, 210, "saucepan|sauté pan|casserole|wok|roasting tin",
           "cast iron|copper-core|blue steel|enamelled", "small|medium|large"),
    _shelf("Kitchen", "Tableware", 6, 80, "dinner plate|pasta bowl|water glass|serving platter|salt cellar",
           "stoneware|recycled glass|porcelain|terracotta", GLAZES),
    _shelf("Living", "Lamps", 29, 260, "reading lamp|pendant|table lamp|floor lamp|clamp light",
           "paper|brass|opal glass|powder-coated", "warm white|sage|black|brass"),
    _shelf("Living", "Textiles", 12, 140, "throw|cushion cover|rug|curtain pair|bolster",
           "washed linen|lambswool|organic cotton|bouclé", CLOTH_COLOURS),
    _shelf("Living", "Small furniture", 45, 420, "side table|stool|wall shelf|magazine rack|console",
           "solid|bent-ply|slatted|folding", WOODS),
    _shelf("Outdoors", "Walking", 18, 190, "rain shell|trekking poles|day pack|merino socks|gaiters",
           "three-layer|ripstop|packable|all-season", "S|M|L"),
    _shelf("Outdoors", "Camp", 15, 320, "two-person tent|down quilt|sleeping mat|camp stove|headlamp",
           "ultralight|three-season|titanium|compact", "moss|ember|slate"),
    _shelf("Outdoors", "Cycling", 9, 150, "pannier|bar bag|helmet|rear light|multitool",
           "waxed|waterproof|rechargeable|low-profile", "black|ochre|sea green"),
    _shelf("Outdoors", "Garden", 7, 110, "hand fork|secateurs|watering can|seed tin|kneeling mat",
           "ash-handled|forged|zinc|waxed canvas", "classic|compact"),
    _shelf("Studio", "Drawing", 4, 75, "sketchbook|graphite set|brush pen|watercolour tin|charcoal sticks",
           "cold-pressed|Japanese|refillable|travel", "A5|A4|A3"),
    _shelf("Studio", "Desk", 5, 130, "notebook|fountain pen|desk tray|letter opener|card box",
           "linen-bound|brass|cork|anodised", "ivory|navy|forest|graphite"),
    _shelf("Studio", "Craft", 6, 90, "loom kit|yarn bundle|lino cutter|darning set|beeswax dye",
           "starter|hand-dyed|fine|plant-dyed", "autumn|harbour|meadow"),
    _shelf("Wear", "Knitwear", 35, 240, "crew jumper|cardigan|beanie|scarf|roll neck",
           "lambswool|alpaca|merino|donegal", CLOTH_COLOURS),
    _shelf("Wear", "Shirts", 25, 130, "overshirt|Oxford shirt|work shirt|tunic|T-shirt",
           "brushed cotton|washed linen|hemp|heavyweight", CLOTH_COLOURS),
    _shelf("Wear", "Bags", 20, 290, "tote|weekender|belt bag|satchel|card holder",
           "waxed canvas|vegetable-tanned|recycled nylon|felt", "black|tan|olive"),
    _shelf("Play", "Board games", 12, 85, "card game|strategy game|word game|dice set|co-op game",
           "two-player|family|pocket|story-driven", "first edition|with expansion"),
    _shelf("Play", "Puzzles", 8, 60, "jigsaw|burr puzzle|tangram|logic box|marble run",
           "wooden|500-piece|1000-piece|hand-cut", "coastline|night sky|botanical"),
    _shelf("Play", "Little ones", 9, 95, "stacking rings|pull-along dog|picture blocks|rag doll|play tent",
           "beechwood|organic cotton|painted|felted", "sunny|sea|berry"),
    _shelf("Sound", "Listening", 25, 380, "turntable|bookshelf speaker|over-ear headphones|shelf radio|record brush",
           "belt-drive|bamboo|wireless|valve", "walnut|white|graphite"),
    _shelf("Sound", "Making", 12, 340, "kalimba|ukulele|melodica|loop pedal|practice amp",
           "concert|mahogany|pocket|analogue", "natural|sunburst|black"),
    _shelf("Bath", "Soap and skin", 5, 48, "bar soap|hand cream|bath salts|face oil|shaving brush",
           "cedar|sea fennel|unscented|calendula", "single|set of three"),
    _shelf("Bath", "Towels", 9, 85, "bath towel|hammam towel|bath mat|face cloth|robe",
           "waffle|Turkish cotton|linen|bamboo", "chalk|clay|petrol"),
)  # fmt: skip

# fmt: off
LINES = (
    "Halden", "Morrow", "Tarn", "Oskar", "Brae", "Linden", "Vester", "Marlow", "Juno", "Kestrel", "Alder", "Fenwick",
    "Solveig", "Harrow", "Nordby", "Pell", "Ambleside", "Tove", "Corvin", "Ister", "Wren", "Calder", "Hedda", "Ravel",
    "Moss", "Elstow", "Birk", "Lunde", "Sable", "Orrin", "Thistle", "Varde", "Quill", "Hollis", "Eskdale", "Runa",
    "Tamsin", "Dunmore", "Aster", "Klint",
)
# fmt: on

PRAISE = (
    "Made in small batches and meant to be repaired.",
    "The one that gets borrowed and does not come back.",
    "Quietly good, for every day.",
    "A workshop favourite since its first winter.",
    "Heavier than it looks, in the right way.",
    "Ages well, and says so.",
    "Simple enough to give, good enough to keep.",
    "Tested for a year by people who are hard on things.",
)
