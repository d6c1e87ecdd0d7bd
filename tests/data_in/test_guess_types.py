"""Types of events in seven languages: a purchase weighs more than a cart, a cart more than a look."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue.data.guess.guess import guess_events
from segue.data.guess.types import type_weight

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
