r"""What of a text is no prose and what is damaged: regular expressions of Java, as Spark SQL takes them.

None repeats a group without bound and none looks for an end that may be far away, so that a hostile text of megabytes
takes the time of a long one: Java's matcher would else overflow its stack, or take hours. `TAG` and `ADDRESS` mean the
same in Python.
"""

from __future__ import annotations

TAG = r"</?[A-Za-z!][^<>]*>"
"""One tag of HTML. `<3` is none."""
ENTITY = r"&#?[A-Za-z0-9]{1,31};"
FORUM_TAG = r"\[/?[A-Za-z][^\[\]]*\]"
ADDRESS = r"(?i:https?://\S+|www\.\S+|[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8})"
"""An address of the web or of mail. What follows one without a space counts as its end."""
MARKUP = f"{TAG}|{ENTITY}|{ADDRESS}|{FORUM_TAG}"

_CP1252 = "".join(bytes([byte]).decode("cp1252", "ignore") for byte in range(0x80, 0xA0))
_TAIL = rf"[\x{{80}}-\x{{BF}}{_CP1252}]"
_PIECES = (
    rf"Ã{_TAIL}",
    r"Â[\x{A0}-\x{BF}]",
    "Å[“’]",
    # œ and Œ whose second half an editor made a straight quote.
    r"""Å["'](?=\p{L})""",
    rf"â[€\x{{80}}]{_TAIL}",
    rf"ð[Ÿ\x{{9F}}]{_TAIL}",
)
# Looking ahead for the first letter takes half the time of trying every alternative at every character.
MOJIBAKE = f"(?=[ÃÂÅâð])(?:{'|'.join(_PIECES)})"
"""French letters, quotes and emoji whose UTF-8 was decoded as windows-1252 or Latin-1."""
REPLACEMENT = r"\x{FFFD}+"
"""Letters that some program could not decode, as the character that stands in for them."""

_CONSONANT = "[bcdfghjklmnpqrstvwxzBCDFGHJKLMNPQRSTVWXZ]"
_ONSET = "[BCDFGPTVbcdfgptv]r|[BCFGPbcfgp]l|[Ss][ckpt]|[CPTcpt]h|[Qq]u"
SURELY_LOST = rf"(?<![\p{{L}}\p{{N}}=&/])(?:(?:{_CONSONANT}|{_ONSET})\?(?=\p{{Ll}})|[CDJLMNST]\?(?=\p{{Lu}}{{2}}))"
"""A question mark where a letter or an apostrophe was: `J?ai`, `tr?s`, `qu?il`. No question ends in a word that is but
the beginning of a French syllable."""
LOST = r"(?<=\p{L})\?|\?(?=\p{Ll})"
"""A question mark at a letter: of a text with a SURELY_LOST one, each of these is likely to have been a letter."""
