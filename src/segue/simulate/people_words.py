"""The names and towns of the simulated people."""

from __future__ import annotations

# fmt: off
FIRST_NAMES = (
    "Ada", "Ben", "Chiara", "Dario", "Elif", "Farah", "Gustav", "Hanna", "Imran", "Jana", "Kofi", "Lena", "Marek",
    "Nadia", "Omar", "Priya", "Quentin", "Rosa", "Sven", "Talia", "Umar", "Vera", "Wanda", "Xenia", "Yusuf", "Zoe",
    "Anouk", "Bruno", "Celine", "Dev", "Esther", "Finn", "Greta", "Hassan", "Iris", "Joel", "Keiko", "Luca", "Maja",
    "Nils", "Olga", "Pavel", "Rana", "Silvia", "Theo", "Ulla", "Victor", "Wiebke", "Yannick", "Zara", "Alba", "Boris",
    "Clara", "Diego", "Emre", "Flora", "Gwen", "Henrik", "Inês", "Jun",
)

LAST_NAMES = (
    "Abel", "Bauer", "Conti", "Dahl", "Egger", "Fischer", "Garcia", "Haas", "Ivanov", "Jensen", "Kaya", "Lang",
    "Meyer", "Nowak", "Okoro", "Peters", "Quinn", "Rossi", "Schmid", "Torres", "Ueda", "Vogel", "Weber", "Yilmaz",
    "Zeller", "Andersen", "Brandt", "Costa", "Diallo", "Eriksen", "Ferrari", "Gruber", "Hughes", "Iversen",
    "Jovanović", "Keller", "Lindgren", "Moreau", "Nguyen", "O'Brien", "Petit", "Ramos", "Sato", "Tan", "Urban",
    "Varga", "Wagner", "Young", "Zimmermann", "Adler",
)

TOWNS = (
    "Aarhus", "Bergen", "Bilbao", "Bologna", "Brno", "Cork", "Dresden", "Ghent", "Graz", "Kaunas", "Leeds", "Lille",
    "Maribor", "Münster", "Nantes", "Porto", "Riga", "Tampere", "Trieste", "Uppsala", "Utrecht", "Valencia",
    "Wrocław", "Zürich",
)
# fmt: on
