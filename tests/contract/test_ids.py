"""What cannot be an id is nobody's, whatever is asked of it: never an error of the server."""

import httpx
import pytest

from tests.contract.test_document import OPERATIONS
from tests.contract.test_harmless import first_examples

WITH_ID = [name for name in OPERATIONS if "{" in name]
#: NUL, which PostgreSQL refuses; a line's end; what is no UTF-8; letters of others; too long.
IDS = ["%00", "a%00b", "%0A", "%FF", "%C3%A9", "a%2Fb", "..%2f", "x" * 65, "*", "%E2%80%AE"]


def bodies(operation):
    return list(first_examples(operation)) if "requestBody" in operation else [(None, None)]


@pytest.mark.parametrize("name", WITH_ID)
async def test_what_cannot_be_an_id_is_nobodys(service_url, tokens, name):
    method, _, path = name.partition(" ")
    before, _, rest = path.partition("{")
    names = rest.partition("}")[2].replace("{version}", "1")
    async with httpx.AsyncClient(base_url=service_url, timeout=30) as client:
        for who in ("staff-hpsm", "hospital", "community"):
            signed = {"Authorization": f"Bearer {tokens.of(who)}", "If-Match": 'W/"1"'}
            for media, example in bodies(OPERATIONS[name]):
                sent = {} if media is None else {"json": example}
                headers = signed if media is None else signed | {"Content-Type": media}
                for id_ in IDS:
                    where = f"{before}{id_}{names}"
                    answer = await client.request(method, where, headers=headers, **sent)
                    assert 400 <= answer.status_code < 500, (who, where, answer.text)
