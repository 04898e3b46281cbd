"""Find where each French sentence begins and ends in a text.

By rules: no splitter is among the locked libraries, Spark NLP's knows English abbreviations and counts UTF-16 units
of a text that it has changed, and offsets must be those of Python and Postgres in the text as it came.
"""

from __future__ import annotations

import re
from itertools import pairwise

MARKS = ".!?\u2026"
"""Characters that may end a sentence."""
END = re.compile(rf"[{MARKS}](?:[ \u00a0\u202f]*[{MARKS}])*(?:[ \u00a0\u202f]?[»”’]|[\"')\]])*")
"""One or more marks, French spaces between them, and closing quotes and brackets behind them."""
BREAK = re.compile(r"[^\S\n]*\n\s*")
BULLET = re.compile(r"[-—–•*·▪►]|\(?\d{1,2}[.)°]|[A-Za-z]\)")
LAST_WORD = re.compile(r"[^\s«“\"'’(\[]*\Z")
_BEFORE_NAMES = "M MM mme mmes mlle mlles mr mrs ms me mgr dr pr st ste cf vs"
# Abbreviations behind which a sentence goes on, also before a name or a title: `M. Le Bihan`, `cf. Les Affranchis`. In
# any case but M and MM, which are metres and millimetres in small letters.
BEFORE_NAMES = frozenset(_BEFORE_NAMES.split())
_SHORT = """
m mm jr sr prof réal ré ex prod dir vol chap art n no nos nb p pp pg éd ed coll env approx hab av apr bd boul janv
févr sept oct nov déc tél min max ann ép ep s.v.p svp
"""
# Abbreviations behind whose dot a sentence goes on unless one of `OPENERS` follows. Some are ordinary words as well:
# `du grand art. Le film`.
ABBREVIATIONS = frozenset(_SHORT.split())
_FIRST = """
le la les un une des du de ce cet cette ces il elle ils elles on je tu nous vous mais et ou donc or ni car c j l
d qu que qui quel quelle quoi où quand comment pourquoi si en au aux à dans pour par sur avec sans mon ma mes son
sa ses leur leurs tout toute tous rien bref enfin alors puis ensuite bon très trop pas plus voilà après
"""
OPENERS = frozenset(_FIRST.split())
"""Words that begin a sentence, but no name."""
WORD = re.compile(r"[^\W\d_]+")
INITIALS = re.compile(r"(?:[^\W\d_]\.-?)+[^\W\d_]")


def spans(text: str) -> list[tuple[int, int]]:
    """Return each sentence as (begin, end) in characters of the unchanged text: `text[begin:end]`, without outer space.

    A sentence ends at `.`, `!`, `?`, `…` and runs of them, quotes and brackets that close behind included, or where
    a line ends and the next one begins anew. Not at the dot of an abbreviation, an initial, a number or an item of
    a list, and not before a small letter after `…` or a closing quote. Signs alone belong to the sentence before them.
    Together the sentences hold every character that is not space.
    """
    ends = sorted({0, len(text), *_at_marks(text), *_at_breaks(text)})
    sentences: list[tuple[int, int]] = []
    for begin, end in pairwise(ends):
        part = text[begin:end]
        stripped = part.strip()
        if not stripped:
            continue
        start = begin + len(part) - len(part.lstrip())
        span = (start, start + len(stripped))
        if sentences and not (_has_letters(stripped) and _has_letters(text[slice(*sentences[-1])])):
            sentences[-1] = (sentences[-1][0], span[1])
        else:
            sentences.append(span)
    return sentences


def _has_letters(part: str) -> bool:
    return any(map(str.isalnum, part))


def _at_breaks(text: str) -> list[int]:
    return [m.start() for m in BREAK.finditer(text) if _breaks(text, m)]


def _breaks(text: str, gap: re.Match[str]) -> bool:
    # A line break inside a sentence, of a text wrapped by its writer, has none of: blank line, mark before, capital or
    # list item after.
    before, after = text[: gap.start()].rstrip()[-1:], text[gap.end() : gap.end() + 4]
    if not after:
        return False
    if gap.group().count("\n") > 1 or BULLET.match(after):
        return True
    return before in f"{MARKS}:;»" or not after[0].islower()


def _at_marks(text: str) -> list[int]:
    return [m.end() for m in END.finditer(text) if _ends(text, m)]


def _ends(text: str, mark: re.Match[str]) -> bool:
    rest = text[mark.end() : mark.end() + 40]
    after = rest.lstrip()
    if not after:
        return True
    if after is rest and not _lacks_space(text, mark, rest):
        return False
    closed = mark.group()[-1] not in MARKS
    if after[0].islower():
        # `« Nul ! » disait-il`, `long… lent`: in other cases writers who use no capitals begin a sentence here.
        softly = closed or "\u2026" in mark.group() or ".." in mark.group()
        if softly or (mark.group() == "." and len(_word_before(text, mark)) < 3):
            return False
    return mark.group()[0] != "." or len(mark.group()) > 1 or not _is_short_form(text, mark, after)


def _lacks_space(text: str, mark: re.Match[str], rest: str) -> bool:
    """Whether the space behind the mark was forgotten: `nul.Je`, `bien !Mais`, and not `3.5`, `J.R.R.` or `a.fr`."""
    lower_before = text[: mark.start()].rstrip()[-2:].islower()
    return rest[0].isupper() and (rest[1:2].islower() or rest[1:2] in " '’") and lower_before


def _word_before(text: str, mark: re.Match[str]) -> str:
    # 40 characters are longer than any abbreviation; without a bound a long text costs the square of its length.
    match = LAST_WORD.search(text, max(0, mark.start() - 40), mark.start())
    return match.group() if match else ""


def _is_short_form(text: str, mark: re.Match[str], after: str) -> bool:
    """Whether the one dot belongs to the word before it."""
    word = _word_before(text, mark)
    following = WORD.match(after)
    opens = following is not None and following.group().lower() in OPENERS and after[0].isupper()
    if word.isdigit():
        line = text[text.rfind("\n", 0, mark.start()) + 1 : mark.start()]
        return line.strip() == word
    if word.lower() == "etc":
        return after[0].islower()
    if not BEFORE_NAMES.isdisjoint((word, word.lower())):
        return True
    initials = (len(word) == 1 and word.isupper()) or INITIALS.fullmatch(word) is not None
    return not opens and (initials or word.lower() in ABBREVIATIONS)
