"""The part of a receiver's answer that is kept, for the person who asks why it failed. PURE.

An answer may echo what we sent, or say something about a member. So only a short text is kept,
with everything masked that looks like a person's number, date, address or name field.
"""

import re

#: Characters of an answer that are kept.
KEPT = 4096

_MASK = "[masked]"
_PERSONAL = re.compile(
    r"""
      [\w.+-]+@[\w-]+(?:\.[\w-]+)+                  # e-mail
    | \b\d{8}[A-Za-z]\d?\w{0,5}                     # CIN
    | \+?\(?\d{3}\)?[\s.-]?\d{3}[\s.-]?\d{4}\b      # telephone
    | \b\d{3}-\d{2}-\d{4}\b                         # SSN
    | \b\d{4}-\d{2}-\d{2}(?!T)\b                    # birth dates; moments stay
    | \b\d{1,2}/\d{1,2}/\d{2,4}\b
    | \b\d{8,}\b
    """,
    re.VERBOSE,
)
_NAME_FIELD = re.compile(
    r"""("(?:family|given|name|birthDate|line|text|display|value)"\s*:\s*)
        ("(?:[^"\\]|\\.)*"?|\[[^\]]*\]?)""",
    re.VERBOSE,
)


def excerpt(body: bytes) -> str:
    """At most `KEPT` characters of an answer, without control characters and personal data."""
    text = body[: 4 * KEPT].decode("utf-8", "replace")
    text = "".join(c if c.isprintable() or c in "\n\t" else " " for c in text)
    return _PERSONAL.sub(_MASK, _NAME_FIELD.sub(rf'\1"{_MASK}"', text))[:KEPT]
