"""The part of a receiver's answer that is kept, for the person who asks why it failed. PURE.

An answer may say something about a member, in any form: a name in a sentence, an escaped field, a
date in words. What such things look like cannot be listed; what a server says about its own trouble
nearly can. So only the words below are kept, and signs between them; everything else, every number
too, becomes `…`.
"""

import re

#: Characters of an answer that are kept.
KEPT = 4096

_GAP = "…"
#: Words of servers about requests. No word that is a name, a place, a day, a month or an illness.
_WORDS = (
    "a able above accept accepted access account accounts again algorithm all allowed already "
    "an and any api application are as at attempt authentication authorization authorized "
    "available await backend bad be because been before below body broken busy but by bytes "
    "cache call cannot certificate change changed character check client closed code comes "
    "configuration configured conflict connect connected connecting connection content could "
    "count data database date dead default delayed delivery denied deprecated detail details "
    "did directory disabled disconnected do does done down dropped due duplicate early echo "
    "empty enabled encoding end endpoint error errors event events exceeded exception exist "
    "exists expected expired fail failed failing failure false fatal file filter for forbidden "
    "form format found from full function future gateway get gone handle handler has have "
    "header headers hook host html http https id ignored in incoming incomplete incorrect input "
    "instance internal into invalid is it item its job json larger late later length limit "
    "limits line load locked login maintenance malformed match maximum memory message messages "
    "method methods missing module moved must name network new no none not nothing null number "
    "object of off offline ok old on only open operation or order out over overload overloaded "
    "parameter parse parser parsing password path payload permission permitted persist please "
    "policy pool port posted previous problem process processed processing property protocol "
    "proxy publish query queue queued rate read reading reason received record redirect "
    "reference refused reject rejected request requests required resource response result retry "
    "route rule running schema scope second seconds secret security see send sending sent "
    "server servers service session shutdown signature signed size slow so some soon source "
    "stack started starting state status still stopped storage store string support supported "
    "syntax system table temporarily temporary than that the there this throttled time timeout "
    "timestamp title to token too tried true try type unable unauthorized unavailable undefined "
    "unexpected unhandled unknown unprocessable unreachable unreadable unsupported until up "
    "upstream url use user utf valid value verification verified verify version wait waiting "
    "was webhook webhooks were when while with without worker write writing wrong xml yet "
)
_KNOWN = frozenset(_WORDS.split())
_TOKEN = re.compile(r"[^\W_]+|\s+|.", re.DOTALL)
_KEPT_SIGNS = frozenset("\"'.,:;!?()[]{}<>=/-_")


def excerpt(body: bytes) -> str:
    """At most `KEPT` characters of an answer, of which nothing is kept that is not in the list."""
    text = body[: 4 * KEPT].decode("utf-8", "replace")
    kept: list[str] = []
    for token in _TOKEN.findall(text):
        said = _said(token)
        if said != _GAP or not kept or kept[-1] != _GAP:
            kept.append(said)
    return _closed_up("".join(kept))[:KEPT]


def _said(token: str) -> str:
    if token.isspace():
        return "\n" if "\n" in token else " "
    if token.lower() in _KNOWN or token in _KEPT_SIGNS:
        return token
    return _GAP


def _closed_up(text: str) -> str:
    """Digits, dates and names leave runs of gaps and signs behind: one gap stands for each."""
    return re.sub(r"…(?:[ .,:/+\-]*…)+", _GAP, text)
