"""Our signatures against the specification's vector and its own library."""

from base64 import b64decode
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from app.journey.notification.secrets import headers, new_secret, public_key, sign

BODY = '{"type":"referral.approved","data":{"grüße":"é"}}'.encode()


def test_the_known_answer_of_the_specification():
    assert (
        sign(
            ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1614265330,
            b'{"test": 2432232314}',
        )
        == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def test_the_specifications_library_accepts_every_secret_of_a_rotation():
    new, old = new_secret(), new_secret()
    sent = headers([new, old], "msg-1", int(datetime.now(UTC).timestamp()), BODY)
    assert Webhook(new).verify(BODY, sent) == Webhook(old).verify(BODY, sent)
    assert len(sent["webhook-signature"].split(" ")) == 2


@pytest.mark.parametrize("part", ["webhook-id", "webhook-timestamp", "body"])
def test_a_change_of_anything_signed_is_noticed(part):
    secret = new_secret()
    sent = headers([secret], "msg-1", int(datetime.now(UTC).timestamp()), BODY)
    body = BODY + b" " if part == "body" else BODY
    if part != "body":
        sent[part] = str(int(sent[part]) - 1) if part == "webhook-timestamp" else "msg-2"
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, sent)


def test_an_asymmetric_signature_is_verified_with_the_public_key():
    secret = new_secret(asymmetric=True)
    version, signature = sign([secret], "msg-1", 1614265330, BODY).split(",")
    public = public_key(secret)
    assert (version, public[:5]) == ("v1a", "whpk_")
    key = Ed25519PublicKey.from_public_bytes(b64decode(public.removeprefix("whpk_")))
    key.verify(b64decode(signature), b"msg-1.1614265330." + BODY)


def test_a_symmetric_secret_has_no_public_half():
    assert public_key(new_secret()) is None


def test_secrets_carry_32_random_bytes():
    assert len(b64decode(new_secret().removeprefix("whsec_"))) == 32
    assert len({new_secret() for _ in range(100)}) == 100
