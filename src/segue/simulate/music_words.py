"""What the simulated record shop carries: genres, and the words that its artists and albums are named with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Genre:
    """One bin of the record shop: `family` is the wall that it stands at."""

    family: str
    name: str
    nouns: tuple[str, ...]
    scenes: tuple[str, ...]


def _genre(family: str, name: str, nouns: str, scenes: str) -> Genre:
    return Genre(family, name, tuple(nouns.split()), tuple(scenes.split("|")))


GENRES: tuple[Genre, ...] = (
    _genre("Rock", "indie rock", "Lanterns Postcards Suburbs Bicycles Antennas Weekends", "Leeds|Olympia|Malmö"),
    _genre("Rock", "shoegaze", "Haze Petals Static Velvet Undertow Glass", "Reading|Kyoto|Lyon"),
    _genre("Rock", "post-punk", "Concrete Signals Curfew Corridors Machines Winter", "Manchester|Berlin|Minsk"),
    _genre("Rock", "garage rock", "Sirens Gasoline Teeth Rattlers Motels Fuzz", "Detroit|Perth|São Paulo"),
    _genre("Electronic", "ambient", "Tides Clouds Vespers Lichen Drift Horizons", "Reykjavík|Kraków|Big Sur"),
    _genre("Electronic", "house", "Floors Sundays Mirrors Organs Lovers Heat", "Chicago|Johannesburg|Naples"),
    _genre("Electronic", "techno", "Circuits Turbines Phase Bunkers Voltage Steel", "Detroit|Tbilisi|Rotterdam"),
    _genre("Electronic", "synth pop", "Neon Heartbeats Arcades Polaroids Comets Chrome", "Gothenburg|Lisbon|Osaka"),
    _genre("Folk", "folk", "Rivers Hollows Sparrows Almanacs Orchards Ferries", "Galway|Asheville|Tromsø"),
    _genre("Folk", "singer-songwriter", "Letters Kitchens Rooms Sisters Trains Mornings", "Halifax|Ghent|Melbourne"),
    _genre("Folk", "americana", "Highways Porches Dust Harvests Mercy Creeks", "Nashville|Tulsa|Marfa"),
    _genre("Jazz", "modal jazz", "Blues Avenues Midnights Saints Colours Spirals", "New York|Paris|Addis Ababa"),
    _genre("Jazz", "jazz fusion", "Orbits Mosaics Meridian Zones Prisms Motion", "London|Los Angeles|Kingston"),
    _genre("Jazz", "vocal jazz", "Roses Cigarettes Lullabies Ballrooms Promises Rain", "Harlem|Stockholm|Buenos Aires"),
    _genre("Hip-hop", "boom bap", "Corners Crates Chapters Verses Stoops Gold", "Queens|Marseille|Bristol"),
    _genre("Hip-hop", "instrumental hip-hop", "Loops Tapes Dusk Noodles Satellites Coffee", "Tokyo|Oakland|Warsaw"),
    _genre("Soul", "soul", "Hearts Sugar Thunder Fever Prayers Velvet", "Memphis|Philadelphia|Lagos"),
    _genre("Soul", "funk", "Groove Pockets Rockets Sneakers Strut Dynamite", "Dayton|Accra|Minneapolis"),
    _genre("Classical", "solo piano", "Nocturnes Studies Shadows Snow Preludes Windows", "Vienna|Tallinn|Seoul"),
    _genre("Classical", "chamber music", "Quartets Gardens Canons Letters Elegies Lakes", "Leipzig|Prague|Boston"),
    _genre("Metal", "doom metal", "Mountains Ashes Altars Obelisks Eclipses Ruin", "Birmingham|Oslo|Portland"),
    _genre("Metal", "melodic death metal", "Ravens Wounds Frost Daggers Embers Oaths", "Gothenburg|Helsinki|Athens"),
    _genre("World", "desert blues", "Dunes Caravans Stars Wells Tents Mirage", "Kidal|Agadez|Tamanrasset"),
    _genre("World", "cumbia", "Palmas Fiestas Mangoes Carnival Fuego Rivers", "Barranquilla|Lima|Monterrey"),
)

# fmt: off
FIRST_NAMES = (
    "Nora", "Elias", "Mina", "Tomas", "Ayo", "Ingrid", "Rafael", "Saoirse", "Kenji", "Lucia", "Amara", "Viktor",
    "Yara", "Jonas", "Leila", "Mateo", "Freya", "Idris", "Petra", "Samir", "Odette", "Hugo", "Zadie", "Anton", "Noor",
    "Felix", "Marisol", "Emil", "Tamar", "Caspian",
)

LAST_NAMES = (
    "Vey", "Marlowe", "Okafor", "Lindqvist", "Hara", "Castellan", "Brandt", "Ibarra", "Novak", "Sable", "Quist",
    "Rahmani", "Ferro", "Holloway", "Achterberg", "Moreau", "Tallis", "Winter", "Adeyemi", "Kowal", "Serrano",
    "Vance", "Ito", "Bellweather", "Duarte",
)

ADJECTIVES = (
    "Paper", "Quiet", "Northern", "Golden", "Hollow", "Slow", "Electric", "Distant", "Borrowed", "Crooked", "Silver",
    "Tender", "Hidden", "Salted", "Endless", "Second", "Burning", "Painted", "Lonely", "Velvet",
)

TIMES = (
    "Midnight", "the Flood", "Dark", "Summer", "the Encore", "Tuesday", "Closing Time", "the Thaw",
)

VERBS = (
    "Waiting", "Driving", "Dancing", "Sleeping", "Falling", "Whistling", "Counting", "Leaving",
)

EDITIONS = (
    "live", "deluxe edition", "remastered", "acoustic",
)
# fmt: on

PRAISE = (
    "Recorded in four days with the windows open.",
    "The record that the staff keep putting on.",
    "Best heard in one sitting.",
    "A debut that sounds like a fifth album.",
    "Grows with every side.",
    "Headphones, last train, side B.",
    "Two microphones and nerve.",
    "Came out quietly and stayed.",
)
