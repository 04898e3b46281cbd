"""Which column a usual name means: other spellings, the ends of dotted names, and what is read of neither."""

from __future__ import annotations

import pytest
from sentiment.dump import profiles
from sentiment.dump.profiles import Profile

USUAL = profiles.get_profile("usual", None)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (
            "id review.text review.rating.value author.username.text author.id film.id film.title date",
            "own_id=id text=review.text rating=review.rating.value author=author.username.text item_id=film.id "
            "item_title=film.title review_date=date",
        ),
        (
            "id author.nickName author.username.text authorRating submissionDate spoiler summary.originalText "
            "text.originalText.plaidHtml",
            "own_id=id author=author.username.text rating=authorRating review_date=submissionDate "
            "title=summary.originalText text=text.originalText.plaidHtml",
        ),
        (
            "id critique note auteur.nom auteur.id auteur.avatar film.id film.titre date",
            "own_id=id text=critique rating=note author=auteur.nom item_id=film.id item_title=film.titre "
            "review_date=date",
        ),
        (
            "reviewBody datePublished author.name author.@type itemReviewed.name itemReviewed.@type "
            "reviewRating.ratingValue reviewRating.bestRating aggregateRating.ratingValue",
            "text=reviewBody review_date=datePublished author=author.name item_title=itemReviewed.name "
            "item_type=itemReviewed.@type rating=reviewRating.ratingValue",
        ),
        ("_id.$oid review created_at.$date", "own_id=_id.$oid text=review review_date=created_at.$date"),
        ("title.rendered content.rendered date", "title=title.rendered text=content.rendered review_date=date"),
        (
            "data.id data.type attributes.text attributes.note",
            "own_id=data.id text=attributes.text rating=attributes.note",
        ),
        # The review's object may lie in the film's, and the film's in the review's.
        (
            "film.name film.note film.review.id film.review.body",
            "item_title=film.name own_id=film.review.id text=film.review.body",
        ),
        ("review.id review.body review.film.title", "own_id=review.id text=review.body item_title=review.film.title"),
        ("author author.name review", "author=author text=review"),
        ("author review.user.name review.text", "author=author text=review.text"),
        ("Review_Text Étoiles Date-de-publication", "text=Review_Text rating=Étoiles review_date=Date-de-publication"),
        (
            "content_id content_type content_name critique",
            "item_id=content_id item_type=content_type item_title=content_name text=critique",
        ),
        (
            "movie_name review_body rating_value author_name",
            "item_title=movie_name text=review_body rating=rating_value author=author_name",
        ),
    ],
)
def test_usual_names(columns: str, expected: str) -> None:
    pairs = dict(pair.split("=") for pair in expected.split())
    assert USUAL.mapping(columns.split()) == pairs


@pytest.mark.parametrize(
    "column",
    [
        "film.note", "film.date", "film.avis", "author.date", "author.avis", "user.rating", "stats.note", "reply.text",
        "average.rating", "genre.id", "studio.title", "review.type", "review.url", "country.name",
    ],
)  # fmt: skip
def test_values_of_other_objects_are_not_the_review_s(column: str) -> None:
    assert USUAL.mapping(["critique", column]) == {"text": "critique"}


def test_of_two_that_fit_alike_neither_is_read() -> None:
    assert USUAL.mapping(["critique", "first.date", "second.date"]) == {"text": "critique"}
    assert USUAL.mapping(["pros.text", "cons.text"]) == {}


def test_names_of_one_s_own_profile_are_exact() -> None:
    own = Profile(name="own", about="", columns={"text": ["Opinion.Texte"], "rating": ["note"]})
    assert own.mapping(["opinion.texte", "x.note", "no-te"]) == {"text": "opinion.texte"}


def test_what_earlier_versions_did_not_know_is_not_read_before() -> None:
    assert USUAL.before().mapping(["film_id", "content_id", "author_name", "review.text", "avis", "url"]) == {
        "item_id": "film_id",
        "text": "avis",
    }
