"""French sentences: where each begins and ends in a text."""

from __future__ import annotations

import re
from itertools import pairwise

MARKS = ".!?\u2026"
"""What may end a sentence."""
END = re.compile(rf"[{MARKS}](?:[ \u00a0\u202f]*[{MARKS}])*(?:[ \u00a0\u202f]?[»”’]|[\"')\]])*")
"""One or more marks, French spaces between them, and what closes behind them."""
BREAK = re.compile(r"[^\S\n]*\n\s*")
BULLET = re.compile(r"[-—–•*·▪►]|\(?\d{1,2}[.)°]|[A-Za-z]\)")
LAST_WORD = re.compile(r"[^\s«“\"'’(\[]*\Z")
_BEFORE_NAMES = "M MM mme mmes mlle mlles mr mrs ms me mgr dr pr st ste cf vs"
BEFORE_NAMES = frozenset(_BEFORE_NAMES.split())
"""Words that are written with a dot and go on, also before a name or a title: `M. Le Bihan`, `cf. Les Affranchis`; in
any case but M and MM, which are metres and millimetres in small letters."""
_SHORT = """
m mm jr sr prof réal ré ex prod dir vol chap art n no nos nb p pp pg éd ed coll env approx hab av apr bd boul janv
févr sept oct nov déc tél min max ann ép ep s.v.p svp
"""
ABBREVIATIONS = frozenset(_SHORT.split())
"""Words that go on where no sentence clearly begins, since some are whole words too: `du grand art. Le film`."""
_FIRST = """
le la les un une des du de ce cet cette ces il elle ils elles on je tu nous vous mais et ou donc or ni car c j l
d qu que qui quel quelle quoi où quand comment pourquoi si en au aux à dans pour par sur avec sans mon ma mes son
sa ses leur leurs tout toute tous rien bref enfin alors puis ensuite bon très trop pas plus voilà après
"""
OPENERS = frozenset(_FIRST.split())
"""Words with which a sentence, but no name, begins."""
WORD = re.compile(r"[^\W\d_]+")
INITIALS = re.compile(r"(?:[^\W\d_]\.-?)+[^\W\d_]")


def spans(text: str) -> list[tuple[int, int]]:
    """Each sentence as (begin, end), in characters of the text as it is: `text[begin:end]`, without outer space.

    A sentence ends at `.`, `!`, `?`, `…` and runs of them, quotes and brackets that close behind included, or where
    a line ends and the next one begins anew. Not at the dot of an abbreviation, an initial, a number or an item of
    a list, and not before a small letter after `…` or a closing quote. Signs alone belong to what is before them.
    Together the sentences hold every character that is not space.
    """
    ends = sorted({0, len(text), *_at_marks(text), *_at_breaks(text)})
    found: list[tuple[int, int]] = []
    for begin, end in pairwise(ends):
        said = text[begin:end]
        stripped = said.strip()
        if not stripped:
            continue
        start = begin + len(said) - len(said.lstrip())
        span = (start, start + len(stripped))
        if found and not (_speaks(stripped) and _speaks(text[slice(*found[-1])])):
            found[-1] = (found[-1][0], span[1])
        else:
            found.append(span)
    return found


def _speaks(said: str) -> bool:
    return any(map(str.isalnum, said))


def _at_breaks(text: str) -> list[int]:
    return [m.start() for m in BREAK.finditer(text) if _breaks(text, m)]


def _breaks(text: str, gap: re.Match[str]) -> bool:
    """Whether a new line is more than a line that was too long: blank line, mark before, capital or item after."""
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
    if after is rest and not _glued(text, mark, rest):
        return False
    closed = mark.group()[-1] not in MARKS
    if after[0].islower():
        softly = closed or "\u2026" in mark.group() or ".." in mark.group()
        if softly or (mark.group() == "." and len(_word_before(text, mark)) < 3):
            return False
    return mark.group()[0] != "." or len(mark.group()) > 1 or not _is_short_form(text, mark, after)


def _glued(text: str, mark: re.Match[str], rest: str) -> bool:
    """Whether the space behind the mark was forgotten: `nul.Je`, `bien !Mais`, and not `3.5`, `J.R.R.` or `a.fr`."""
    lower_before = text[: mark.start()].rstrip()[-2:].islower()
    return rest[0].isupper() and (rest[1:2].islower() or rest[1:2] in " '’") and lower_before


def _word_before(text: str, mark: re.Match[str]) -> str:
    found = LAST_WORD.search(text, max(0, mark.start() - 40), mark.start())
    return found.group() if found else ""


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
