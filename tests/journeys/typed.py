"""What a page tells to type, done as it stands: its blocks, and its `curl` lines by a client."""

import itertools
import json
import re
import shlex
from collections.abc import Iterator, Mapping

import httpx

from tests.outside import ROOT


class Typed:
    """One page of docs/. `names` are the shell's variables, filled in as the page goes on."""

    def __init__(self, name: str) -> None:
        self.text = (ROOT / "docs" / name).read_text("utf-8")
        self.names = {"BASE": ""}
        #: ```json referral.json → the payload that `-d @referral.json` sends.
        found = re.findall(r"```json (\S+\.json)\n(.*?)```", self.text, re.DOTALL)
        self.files: Mapping[str, str] = dict(found)

    def blocks(self, language: str) -> list[str]:
        return re.findall(rf"```{language}\n(.*?)```", self.text, re.DOTALL)

    def commands(self) -> Iterator[list[str]]:
        """The words of each command of the `sh` blocks."""
        for block in self.blocks("sh"):
            joined = block.replace("\\\n", " ")
            parts = re.split(r"^(?=curl )", joined, flags=re.MULTILINE)
            yield from (shlex.split(one) for one in parts if one)

    @property
    def curls(self) -> list[list[str]]:
        return [words for words in self.commands() if words[0] == "curl"]

    async def run(self, service, words: list[str], by: str) -> httpx.Response:
        """What a `curl` of the page does, by a client that has a token."""
        assert "Authorization: Bearer $TOKEN" in words
        for name, value in self.names.items():
            words = [word.replace(f"${name}", value) for word in words]
        words = [word.replace("\\$", "$") for word in words]
        path = next(word for word in words if word.startswith("/"))
        assert not re.search(r"\$[A-Z]", path)
        method = words[words.index("-X") + 1] if "-X" in words else "GET"
        given = [word for before, word in itertools.pairwise(words) if before == "-H"]
        headers = dict(header.split(": ", 1) for header in given)
        del headers["Authorization"]
        body = self._body(words[words.index("-d") + 1]) if "-d" in words else None
        return await service.ask(by, method, path, body, headers=headers)

    def _body(self, given: str) -> bytes:
        text = self.files[given[1:]] if given.startswith("@") else given
        return json.dumps(json.loads(text)).encode()
