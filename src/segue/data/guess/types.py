"""What a type of event weighs, told from its words in seven languages by their stems."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Final

# Patterns of words, as `_words` writes them, the groups in the order in which they are tried: what takes back or only
# shows comes first ("remove from cart"), a cart before a purchase ("Einkaufswagen"), a wish before any adding. In each:
# English, German, French, Spanish, Italian, Portuguese, Dutch.
_SHOWN_OR_TAKEN_BACK = r"""
    \bimpress expos(ed|ure) \bshown \bdisplay \breturn refund cancel remov delet dislike unlike hide\b hidden \bskip
    dismiss \bignor thumbs?\ ?down not\ ?interest search \blog\ ?(in|out)\b session\ ?start unsub unfollow uninstall
    \banzeige angezeigt eingeblendet ruckgabe rueckgabe zuruck zurueck erstatt retour storn widerruf abbruch abgebroch
    abbestell entfern gelo(e)?scht lo(e)?schen u(e)?bers?pr[iu]ng gefa(e)?llt.*nicht mag\ nicht
    \bsuch(e|en|anfrage)\b gesucht anmeld abmeld
    affich rembours annul supprim retir(e|er|ee)\b \bsaut(e|er|ee)\b aime\ pas recherch \bcherch desabonn
    mostrad devol devuel reembols \banul elimin \bquita(r|do)\b \bsalta(r|do|ta|to|re)\b omitid omitir descart
    no\ me\ gusta busca busqueda
    mostrat \bres[oi]\b restitu rimbors rimoss rimuov non\ mi\ piace ricerc \bcerca(t[ao]|re)?\b
    exibi \bpul(ar|ou|ado)\b nao\ gost pesquis
    getoond teruggest teruggeb terugbeta geretour verwijder overslaan overgeslagen niet\ leuk zoek"""
_CART = r"""
    \bcarts?\b tocart addcart basket(?!ball) tobag \bbag\b trolley check\ ?out
    warenkorb wagenkorb einkaufswagen einkaufskorb \bkorb\b \bpanier \bcaddie carrito \bcest[ao]\b carrell carrinh
    winkelwagen winkelmand winkelkar"""
_PURCHASE = r"""
    purchas \bbuy \bbought \b(pre|re)?order(s|ed|ing)?\b placeorder orderplaced \bsales?\b \bsold\b transac transak
    transaz conversion \bsubscri \bdownload \bpaid\b payment \bbook(ed|ing|ings)\b
    kauf bestel bezahl zahlung gebucht buchung
    achat achet \bcommande(s|r|e)?\b vente\b vendu paiement
    \bcompr(a|as|e|o|ou|ar|ad[ao]|at[ao]|are)\b \bpedid venta\b vendid \bpag(o|ad[ao]|amento)\b
    acquist \bordin(e|i|ato|ata|are)\b vendit encomend
    koop kocht kopen betaling betaald"""
_LIKE = r"""
    \blik(e|es|ed|ing)\b \blove[sd]?\b favou?ri \bfavs?\b bookmark \bsav(e|es|ed|ing)\b \bshar(e|es|ed|ing)\b
    wish\ ?list follow thumbs?\ ?up review \bcomment
    gefallt gefaellt merk(liste|zettel|en)\b gemerkt wunsch lesezeichen speicher \bteil(en|t)\b geteilt komment gefolgt
    \bfolgen\b
    \baim(e|er|ee)\b enregistr sauvegard partag envies souhait \bsuiv(i|re)\b
    gusta\b \bguard(ar|ado|ada|o)\b compart deseo coment \bsegui(r|do|to|re)\b
    mi\ ?piace preferit \bsalv(a|o|ar|are|ato|ata|ou)\b condivi desider
    gost(ei|ou|ar|o)\b \bcurti compartilh partilh desejo
    \bleuk\b bewaar bewaren opgeslagen opslaan gedeeld \bdelen\b verlanglijst wensenlijst \bvolg(en|t)?\b gevolgd"""
_VIEW = r"""
    view click \bopen(s|ed|ing)?\b \bplay(s|ed|ing)?\b played listen stream \bvisit watch \bread(s|ing)?\b \bpv\b \blook
    \bseen?\b brows \brat(e|es|ed|ing|ings)\b \bevent\b
    ansicht anseh angeseh gesehen angeschau anschau betracht \bo(e)?ffne
    geo(e)?ffnet aufruf aufgeruf klick gespielt abspiel
    spielen \bho(e)?r(en|t)\b geho(e)?rt anho(e)?r besuch gelesen \blesen\b geschaut bewert
    \bvue?s?\b \bvoir\b consult \bouv(ert|rir|erture) cliqu \bclic \blu\b \blire\b lecture ecout \bjou(e|er|ee)\b regard
    \bnot(er|ation|ee?)\b evalu visionn
    \bvist[ao]?s?\b \bver\b visuali \babr(ir|io|iu)\b abiert pulsad escuch reproduc jugad \bjugar\b \bmir(ar|ado)\b
    calific valora puntu \ble(er|ido|ida)\b
    apert[ao]\b \baprire ascolt riprod[ou] giocat \bguarda(to|ta|re)\b votat \bvotare?\b valutat \bvoto\b \bletto\b
    abert[ao]\b \bouvi(r|u|do|da)\b escut reproduz \btoc(ar|ou|ado)\b \bjog(ar|ou|ado)\b assisti avalia
    \ble(u|r|itura)\b bekek bekijk gezien geklikt weergave geopend luister gespeeld
    afspelen afgespeeld gekeken \bkijk gelezen \blezen\b
    bezoek bezocht beoorde waarder"""
_ADDING = r"""
    ^add(ed|s)?\b hinzuf(ue|u)g hinzugef(ue|u)gt \bajout agreg \banad aggiun adicion toegevoegd toevoeg"""

TOLD: Final = 30  # types that are told one by one

# What an event says about taste, against one view. Impressions, returns and dislikes teach no liking.
_GROUPS: Final = tuple(
    (re.compile("|".join(re.split(r"(?<!\\)\s+", stems.strip()))), weight)
    for stems, weight in (
        (_SHOWN_OR_TAKEN_BACK, 0.0),
        (_CART, 3.0),
        (_PURCHASE, 5.0),
        (_LIKE, 2.0),
        (_VIEW, 1.0),
        (_ADDING, 3.0),
    )
)


def type_weight(name: str) -> float | None:
    """What an event of a type of this name weighs, or None where the name is not known.

    >>> type_weight("addToCart"), type_weight("in den Warenkorb"), type_weight("Kauf"), type_weight("frobnicate")
    (3.0, 3.0, 5.0, None)
    """
    words = _words(name)
    return next((weight for stems, weight in _GROUPS if stems.search(words)), None)


def said_types(counts: Mapping[str, int], weights: Mapping[str, float]) -> str:
    """The types, each with its weight and its rows, as far as anybody reads on.

    >>> said_types({"view": 1200, "buy": 1}, {"view": 1.0, "buy": 5.0})
    'view 1 (1,200 rows), buy 5 (1 row)'
    """
    said = [f"{kind} {weights[kind]:g} ({count:,} {'row' if count == 1 else 'rows'})" for kind, count in counts.items()]
    return ", ".join(said[:TOLD]) + (f", {len(said) - TOLD} more" if said[TOLD:] else "")


def _words(name: str) -> str:
    """The words of a name in small letters without accents, a blank between them."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.replace("ß", "ss"))
    text = unicodedata.normalize("NFKD", parted)
    bare = "".join(sign for sign in text if not unicodedata.combining(sign)).lower()
    return " ".join(re.split(r"[^a-z0-9]+", bare)).strip()
