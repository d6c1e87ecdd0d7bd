"""Types of events in seven languages: a purchase weighs more than a cart, a cart more than a look."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue.data.guess.guess import guess_events
from segue.data.guess.types import type_weight
from segue.domain.errors import ReadError

WORDS = {
    0.0: """impression;return;refund;cancelled;remove_from_cart;dislike;skip;search;search_query;hide;logout;
        unsubscribe;gefällt mir nicht;
        Rückgabe;Retoure;storniert;Stornierung;Warenkorb entfernt;übersprungen;uebersprungen;Suche;gefällt nicht;
        retour;remboursement;annulé;supprimer du panier;sauter;recherche;
        devolución;cancelado;anulado;eliminado del carrito;saltar;búsqueda;no me gusta;
        reso;rimborso;annullato;rimosso dal carrello;saltato;ricerca;cerca;
        devolvido;cancelamento;removido;pulou;busca;pesquisa;
        geretourneerd;geannuleerd;verwijderd;overgeslagen;zoeken;zoekopdracht""",
    1.0: """view;views;viewed;page_view;productView;click;clicked;open;opened;play;listened;watch;look;rate;rating;pv;
        Ansicht;angesehen;Produkt angeschaut;Klick;angeklickt;geöffnet;gehört;abgespielt;gesehen;bewertet;Bewertung;
        vue;vu;consulté;clic;cliqué;ouvert;écouté;joué;regardé;noté;évaluation;
        vista;visto;visualización;abierto;escuchado;reproducido;jugado;mirado;calificación;valorado;
        visualizzato;aperto;ascoltato;riprodotto;guardato;valutato;
        visualização;clique;aberto;ouvido;tocou;assistido;avaliação;
        bekeken;bekijken;gezien;geklikt;geopend;geluisterd;afgespeeld;gekeken;beoordeeld""",
    2.0: """like;liked;favourite;favorites;save;saved;share;wishlist;add_to_wishlist;review;bookmark;
        gefällt mir;Merkzettel;Wunschliste;Favorit;gespeichert;geteilt;
        aimé;j'aime;favoris;ajouter aux favoris;enregistré;partagé;liste d'envies;
        me gusta;favorito;guardado;compartido;añadir a favoritos;
        mi piace;preferiti;salvato;condiviso;
        gostei;curtir;salvar;compartilhado;
        leuk;favoriet;bewaard;opgeslagen;gedeeld;verlanglijstje""",
    3.0: """cart;add_to_cart;addToCart;ADD TO BASKET;basket;added;checkout;
        Warenkorb;in den Warenkorb gelegt;Einkaufswagen;hinzugefügt;
        panier;ajout panier;ajouté au panier;ajouter;
        carrito;añadir al carrito;cesta de la compra;añadido;
        carrello;aggiunto al carrello;
        carrinho;adicionado ao carrinho de compras;
        winkelwagen;toegevoegd aan winkelmandje;toegevoegd""",
    5.0: """buy;bought;purchase;Purchased;order;ordered;place_order;transaction;sale;
        Kauf;gekauft;Bestellung;bestellt;Einkauf;
        achat;acheté;commande;commandé;
        compra;comprado;compró;pedido;
        acquisto;acquistato;ordine;comprato;
        comprou;encomenda;
        aankoop;gekocht;bestelling;besteld""",
}


@pytest.mark.parametrize(("weight", "words"), WORDS.items())
def test_types_are_known_by_their_stems(weight: float, words: str) -> None:
    told = {word.strip(): type_weight(word.strip()) for word in words.split(";")}
    assert {word: found for word, found in told.items() if found != weight} == {}


@pytest.mark.parametrize("name", ["frobnicate", "", "42", "Bücher", "Comedy", "desktop", "basketball", "paypal", "x"])
def test_other_words_are_not_known(name: str) -> None:
    assert type_weight(name) is None


def test_every_type_that_was_seen_is_written_with_its_number(tmp_path: Path) -> None:
    kinds = ["Ansicht", "Warenkorb", "Kauf", "Probefahrt", "Rückgabe"]
    rows = "".join(f"u{n % 9},p{n % 7},{kinds[n % 5]}\n" for n in range(100))
    (tmp_path / "a.csv").write_text("Kunde,Artikel,Aktion\n" + rows)
    guess = guess_events([tmp_path / "a.csv"])
    assert guess.source.types == {"Ansicht": 1, "Warenkorb": 3, "Kauf": 5, "Probefahrt": 1, "Rückgabe": 0}
    assert any("'Probefahrt'" in doubt and "'Kauf'" not in doubt for doubt in guess.doubts)


def test_more_types_than_are_said_are_all_written(tmp_path: Path) -> None:
    rows = "".join(f"u{n % 9},p{n % 7},kind{n % 60}\n" for n in range(600))
    (tmp_path / "a.csv").write_text("user,item,type\n" + rows)
    assert len(guess_events([tmp_path / "a.csv"]).source.types) == 60


def _table(folder: Path, columns: str, row: str) -> Path:
    """200 rows, with numbers for `n` in them."""
    path = folder / "a.csv"
    lines = [row.format(user=n % 17, item=n % 23, n=n % 5 + 1, cost="paid" if n % 4 else "free") for n in range(200)]
    path.write_text("\n".join([columns, *lines, ""]))
    return path


@pytest.mark.parametrize("name", ["cost", "price", "Preis"])
def test_what_a_thing_costs_is_no_type(tmp_path: Path, name: str) -> None:
    guess = guess_events([_table(tmp_path, f"user,item,{name}", "{user},{item},{cost}")])
    assert guess.source.columns.type is None
    other = guess_events([_table(tmp_path, "user,item,what", "{user},{item},{cost}")])
    assert other.source.columns.type == "what"


@pytest.mark.parametrize("name", ["cnt", "count", "Count"])
def test_how_often_is_how_strong(tmp_path: Path, name: str) -> None:
    guess = guess_events([_table(tmp_path, f"user,item,{name}", "{user},{item},{n}")])
    assert (guess.source.columns.value, guess.source.weight) == (name, "value")
    bought = guess_events([_table(tmp_path, f"user,item,price,{name}", "{user},{item},{n},{n}")])
    assert (bought.source.columns.value, bought.source.weight) == ("price", "type")


def test_an_item_of_lists_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"user": 1, "item": 2}\n{"user": 2, "item": [1]}\n')
    with pytest.raises(
        ReadError, match=r"1 of 2 cells of 'item' are lists or objects, which are no ids, such as \[1\]"
    ):
        guess_events([path])


def test_a_header_names_all_its_columns_or_says_how_many_more(tmp_path: Path) -> None:
    few = guess_events([_table(tmp_path, "InvoiceNo,user,item,Country", "{n},{user},{item},{cost}")])
    assert "header: yes, the first line names InvoiceNo, user, item, Country" in few.reasons
    many = guess_events([_table(tmp_path, "user,item,a,b,c,d,e,f", "{user},{item}" + ",{n}" * 6)])
    assert "header: yes, the first line names user, item, a, b, c, d and 2 more" in many.reasons
