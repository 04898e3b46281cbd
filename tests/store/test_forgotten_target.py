"""A review to be forgotten is recognised in records however JSON, CSV or Windows write them, and no other is."""

from __future__ import annotations

import json
import unicodedata

import pytest
from sentiment.store.forgetting import Target

AUTHOR = "Zoé Ångström"
TEXT = "Un « grand » film, \"immense\" même :\nl'été à Sète / la mer, des visages 😀 qu'on n'oublie pas."
QUOTED = f"Comme le dit {AUTHOR}, un chef-d'œuvre."
TARGET = Target("0" * 32, "s", (AUTHOR,), (TEXT, "Bof."))
ESCAPED = json.dumps({"review": TEXT})


@pytest.mark.parametrize(
    "raw",
    [
        ESCAPED.encode(),
        ESCAPED.replace("\\u00e9", "\\u00E9").replace("/", "\\/").encode(),
        json.dumps({"review": TEXT}, ensure_ascii=False).encode(),
        ESCAPED.encode()[: ESCAPED.index("visages")] + b"... " + b'"author": "Zo\\u00e9 \\u00c5ngstr\\u00f6m"',
        ('1;"' + TEXT.replace('"', '""') + '";4').encode(),
        unicodedata.normalize("NFD", f'{{"author": "{AUTHOR}"}}').encode(),
        f"1;{AUTHOR};4".encode("cp1252"),
        f"1;{AUTHOR};4".encode("latin-1"),
        f'{{"author": "{AUTHOR}'.encode(),
        f'{{"author": "{AUTHOR}", "review": "é"}}'.encode()[:-3],
        b'{"review": "Bof."}',
        b"x\n" + f"{AUTHOR};Bien".encode() + b"\nx",
    ],
)
def test_target_is_recognised_in_any_encoding(raw: bytes) -> None:
    assert TARGET.is_named_in(raw)


@pytest.mark.parametrize(
    "raw", [json.dumps({"review": QUOTED}), f'{{"author": "{AUTHOR}e"}}', '{"review": "Bof. Bof."}', ESCAPED[:30]]
)
def test_other_texts_are_not_the_target(raw: str) -> None:
    assert not TARGET.is_named_in(raw.encode())
