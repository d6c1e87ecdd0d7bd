"""What columns are called in the trade, in several languages."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Final

# Names as `plain` writes them, the surest first: English, then German, French, Spanish, Italian, Portuguese, Dutch,
# Polish, Swedish, and the data sets that everybody has met.
EVENT_NAMES: Final[Mapping[str, str]] = {
    "user": """userid user customerid customer clientid client memberid member accountid account personid person
        buyerid buyer shopperid shopper readerid reader listenerid listener viewerid viewer subscriberid
        profileid uid uuid actorid actor customernumber customerno custid userno username useremail email reviewerid
        authorid kundennummer kundenid kunde kundennr benutzer benutzerid nutzer nutzerid utilisateur
        utilisateurid idutilisateur idclient acheteur cliente clienteid idcliente usuario usuarioid
        idusuario comprador utente idutente utenteid acquirente utilizador klant klantid klantnummer
        gebruiker gebruikerid klient klientid uzytkownik kund kundid anvandare""",
    "visitor": """visitorid visitor anonymousid anonymous cookieid cookie deviceid device fullvisitorid clientcookie
        guestid guest browserid besucher besucherid visiteur visitante visitatore bezoeker""",
    "item": """itemid item productid product productcode productno sku skuid asin stockcode articleid article
        articleno movieid movie filmid film artistid artist trackid track trackuri songid song albumid album
        bookid book isbn newsid news videoid video showid contentid content gameid game appid recipeid
        listingid listing offerid offer courseid businessid poiid venueid placeid location locationid
        goodsid artikel artikelnummer artikelid artikelnr produkt produktid produktnummer produit idproduit
        produitid articulo producto productoid idproducto prodotto idprodotto articolo produto idproduto
        produktkod vara iid gmid parentasin parentproductid objectid targetid""",
    "type": """eventtype event eventname action actiontype type behavior behaviour behaviortype activity
        interaction interactiontype verb ereignis ereignistyp aktion typ evenement typeevenement evento tipo
        tipoevento azione acao gebeurtenis zdarzenie handelse""",
    "time": """timestamp time datetime eventtime eventtimestamp ts date createdat created occurredat happenedat
        invoicedate orderdate purchasedate transactiondate viewedat playedat listenedat visitedat ratedat
        reviewtime unixreviewtime unixtime epoch when eventdate localtime utctime clientts zeit zeitpunkt
        zeitstempel datum uhrzeit bestelldatum kaufdatum rechnungsdatum horodatage dateheure datecommande
        datedachat fecha fechahora fechacompra marca tempo data dataora dataordine datahora datacompra tijd
        tijdstip besteldatum czas tid tidpunkt""",
    "value": """value weight rating score stars stars5 price unitprice amount revenue total totalprice plays
        playcount listens playtime duration dwell dwelltime watchtime strength overall preis betrag
        bewertung umsatz note prix montant precio importe valor calificacion prezzo voto valutazione preco
        avaliacao prijs bedrag waardering cena ocena pris listencount frequency count cnt""",
    "quantity": """quantity qty units count pieces number menge anzahl stueck stuckzahl quantite nombre cantidad
        unidades quantita quantidade aantal ilosc antal""",
    "id": """eventid id rowid transactionid uniqueid interactionid logid recordid ereignisid idevenement idevento""",
    "session": """sessionid session visitid sitzung sitzungsid sesion idsesion sessione sessao sessie sesja""",
    "decision": """decisionid decision recommendationid impressionid requestid""",
    "position": """position rank slot place listposition pos""",
}

ITEM_NAMES: Final[Mapping[str, str]] = {
    "id": "id " + EVENT_NAMES["item"],
    "title": """title name itemname productname producttitle trackname songname artistname movietitle filmname
        itemtitle label caption headline titel bezeichnung produktname artikelname titre nom nomproduit
        libelle titulo nombre nombreproducto titolo nomeprodotto nome naam nazwa namn""",
    "text": """description text body longdescription shortdescription summary abstract overview content plot
        synopsis beschreibung descriptif descripcion descrizione descricao omschrijving opis beskrivning""",
    "categories": """categories category genres genre tags tag topics topic department section subcategory categoryname
        categorypath productcategory producttype playlistgenre kategorie kategorien warengruppe categorie
        categoria categorias genero generi kategoria kategori""",
    "kind": "kind itemtype type typ tipo",
    "group": """group groupid itemgroup itemgroupid parentid parent parentsku parentasin variantof masterid modelid
        stylecode gruppe""",
    "price": """price unitprice listprice saleprice amount cost preis prix precio prezzo preco prijs cena pris""",
    "currency": "currency currencycode waehrung wahrung devise moneda valuta moeda",
    "released": """released releasedate release publishedat published publishdate publicationdate datepublished year
        releaseyear yearpublished albumreleasedate trackalbumreleasedate launchdate createdat datereleased
        erscheinungsdatum erschienen jahr datesortie annee fechalanzamiento anno ano""",
    "available_from": "availablefrom availablesince validfrom onsalefrom startdate verfuegbarab",
    "available_to": "availableto availableuntil validto validuntil enddate expires expiry verfuegbarbis",
    "image": """image imageurl imagelink picture pictureurl thumbnail thumbnailurl photo cover coverurl poster img
        imgurl bild bildurl imagen immagine imagem afbeelding""",
}

USER_NAMES: Final[Mapping[str, str]] = {"id": "id " + EVENT_NAMES["user"]}


KEYS = frozenset({"id", "key", "uid", "uuid", "code", "number", "no", "nr", "ref"})  # stand for all of an object
WORDS = frozenset({"name", "title", "label", "value", "amount"})  # stand for these, which are no more than a word
WORDED = ("categories", "group", "price", "type")
AMOUNTS = ("value", "quantity", "price", "currency")  # of whatever they are inside
OWNERS = ("user", "visitor", "item", "categories", "group", "image")


def plain(name: str) -> str:
    """A name without case, accents and signs.

    >>> plain("Kunden-Nr."), plain("Préço_ID")
    ('kundennr', 'precoid')
    """
    text = unicodedata.normalize("NFKD", name.replace("ß", "ss"))
    return re.sub(r"[^a-z0-9]", "", text.lower())


def rank(name: str, role: str, names: Mapping[str, str]) -> int | None:
    """How sure it is that a column of this name plays a role: 0 is surest, None is not at all."""
    known = names[role].split()
    called = plain(name)
    return known.index(called) if called in known else None


def named(columns: Sequence[str], role: str, names: Mapping[str, str]) -> list[str]:
    """The columns that may play a role by their name, the surest first; "product.sku" goes by its parts."""
    ranked = [
        (place, column)
        for column in columns
        if (place := _whole(column, role, names) or _within(column.split("."), role, names)) is not None
    ]
    return [column for _, column in sorted(ranked, key=lambda pair: pair[0])]


def _whole(name: str, role: str, names: Mapping[str, str]) -> tuple[int, int] | None:
    place = rank(name, role, names)
    return None if place is None else (0, place)


def _within(path: Sequence[str], role: str, names: Mapping[str, str]) -> tuple[int, int] | None:
    """How sure it is that a field inside objects plays a role: less so than a column.

    "data.user.id" is the user by its last two parts, "actor.key" by what it is the key of, "product.sku" the item by
    its last part; but "user.created_at" is no time of an event, for it is the user's.
    """
    if len(path) < 2:
        return None
    *above, leaf = path
    stands_for_all = plain(leaf) in KEYS or (plain(leaf) in WORDS and role in WORDED)
    ways = [(1, above[-1] + leaf), (2, above[-1] if stands_for_all else ""), (3, leaf)]
    if plain(leaf) == "id" or role not in (*AMOUNTS, _owner(above, names), role if not _owner(above, names) else ""):
        ways.pop()
    found = ((tier, place) for tier, name in ways if (place := rank(name, role, names)) is not None)
    return next(found, None)


def _owner(above: Sequence[str], names: Mapping[str, str]) -> str | None:
    """Whom or what the nearest known object is about."""
    owners = [role for role in OWNERS if role in names]
    return next((role for name in reversed(above) for role in owners if rank(name, role, names) is not None), None)


def is_known(name: str) -> bool:
    """Whether some role is known by this name."""
    return any(rank(name, role, names) is not None for names in (EVENT_NAMES, ITEM_NAMES) for role in names)
