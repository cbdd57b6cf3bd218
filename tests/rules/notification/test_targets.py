"""Where we send and where never (OWASP SSRF), as tables."""

import pytest
from pydantic import ValidationError

from app.base.settings import Settings
from app.journey.notification.targets import Guard, public

STRICT = Guard(frozenset(), plain_http=False)
OURS, OTHERS = "org-ours", "org-others"
IN_THE_HOUSE = ("127.0.0.1:9999", "intake.hospital.internal:8443", "hooks.hospital.example:443")
DEMO = Guard(frozenset((OURS, target) for target in IN_THE_HOUSE), plain_http=True)

PUBLIC = """
8.8.8.8 1.1.1.1 93.184.216.34 2606:4700:4700::1111
::ffff:8.8.8.8 64:ff9b::808:808 2002:808:808::1
"""
NEVER = """
127.0.0.1 127.255.255.254 0.0.0.0 10.0.0.1 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1
192.0.0.192 192.0.0.8 168.63.129.16 192.88.99.1 198.18.0.1 192.0.2.1 198.51.100.1 203.0.113.1
224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255
:: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:169.254.169.254 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe
64:ff9b:1::1 2002:7f00:1:: 2002:a00:1:: fe80::1 fe80::1%eth0 fec0::1 fc00::1 fd00:ec2::254
ff02::1 5f00::1 3fff::1 2001:db8::1 2001::1 100::1
::ffff:0:7f00:1 ::ffff:0:a9fe:a9fe 100:0:0:1::1 4000::1 2002:a9fe:a9fe:: 2002:c0a8:101::1
64:ff9b::a00:1 64:ff9b::6440:1 ::ffff:100.64.0.1 ::ffff:168.63.129.16 169.254.170.2 192.0.0.170
fd12:3456:789a::1 2001:10::1 2001:20::1 fe80::a9fe:a9fe 0.0.0.1 172.31.255.255 100.127.255.254
"""


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.org/referrals",
        "https://hooks.example.org:8443/a?b=c",
        "https://xn--bcher-kva.example/hook",
        "https://4.example.com/",
        "https://hooks.example.org/a%2Fb/%28c%29/../d?sig=Ab%2Fcd%2B1%3D%3D&p='x'&t=%7E,;:@!$*",
    ],
)
def test_public_https_names_are_taken(url):
    assert STRICT.fault(url, OURS) is None


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.org/",
        "ftp://hooks.example.org/",
        "file:///etc/passwd",
        "hooks.example.org",
        "https:///path",
        "",
        "https://user:secret@hooks.example.org/",
        "https://user@hooks.example.org/",
        "https://@hooks.example.org/",
        "https://hooks.example.org/#part",
        "https://hooks.example.org/#",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://8.8.8.8/",
        "https://0x7f000001/",
        "https://2130706433/",
        "https://127.1/",
        "https://0177.0.0.1/",
        "https://0x7f.0.0.0x1/",
        "https://127.0.0.1./",
        "https://good.example\\@127.0.0.1/",
        "https://127。0。0。1/",
        "https://evil.example@127.0.0.1/",
        "https://localhost/",
        "https://a.localhost/",
        "https://printer.local/",
        "https://metadata.google.internal/",
        "https://router.home.arpa/",
        "https://intranet/",
        "https://hooks.example.org:99999/",
        "https://hooks.example.org:port/",
        "https://[::1/",
        "https://hooks.example.org/a b",
        'https://hooks.example.org/"a"',
        "https://hooks.example.org/<a>",
        "https://hooks.example.org/{a}|^`",
        "https://hooks.example.org/%zz",
        "https://hooks.example.org/100%",
        "https://hooks.example.org/a?",
        "https://hooks.ex%61mple.org/",
        "https://hooks.example.org/\r\nX: y",
        "https://hooks.example.org/\x00",
        "https://hooks.example.org/\ud800",
        "https://hooks.example.org/" + "a" * 2048,
    ],
)
def test_everything_else_is_refused_in_words(url):
    assert STRICT.fault(url, OURS)


def test_the_service_sends_nothing_to_itself():
    guard = Guard(frozenset(), plain_http=False, own_name="referrals.example.org")
    for host in ("referrals.example.org", "Referrals.Example.ORG", "referrals.example.org."):
        assert guard.fault(f"https://{host}/v1/webhook-endpoints", OURS)
    assert guard.fault("https://hooks.example.org/", OURS) is None


@pytest.mark.parametrize(
    ("setting", "url", "taken"),
    [
        ("443,8443", "https://hooks.example.org/", True),
        ("443,8443", "https://hooks.example.org:8443/", True),
        ("443,8443", "https://hooks.example.org:22/", False),
        ("443,8443", "https://hooks.example.org:80/", False),
        ("443,8443", "https://hooks.example.org:0/", False),
        ("9443", "https://hooks.example.org:9443/", True),
        ("9443", "https://hooks.example.org/", False),
    ],
)
def test_other_ports_are_not_sent_to(setting, url, taken):
    fault = Guard.of(Settings(webhook_ports=setting)).fault(url, OURS)
    assert (fault is None) == taken
    assert taken or "port" in fault


@pytest.mark.parametrize("ports", ["", "https", "443;8443", "443,", "-1"])
def test_ports_are_numbers(ports):
    with pytest.raises(ValidationError, match="webhook_ports"):
        Settings(webhook_ports=ports)


def test_named_receivers_in_the_house_may_be_private_and_plain():
    assert DEMO.fault("http://127.0.0.1:9999/hook", OURS) is None
    assert DEMO.fault("https://intake.hospital.internal:8443/hook", OURS) is None
    assert DEMO.fault("http://127.0.0.1:9998/hook", OURS)
    assert DEMO.fault("http://hooks.example.org/hook", OURS)


def test_production_sends_nothing_in_plain_text_even_in_the_house():
    production = Guard(DEMO.allowed, plain_http=False)
    assert production.fault("http://127.0.0.1:9999/hook", OURS)
    assert production.fault("https://127.0.0.1:9999/hook", OURS) is None


@pytest.mark.parametrize("address", PUBLIC.split())
def test_public_addresses(address):
    assert public(address)


@pytest.mark.parametrize("address", [*NEVER.split(), "not an address", ""])
def test_addresses_that_are_never_sent_to(address):
    assert not public(address)


@pytest.mark.parametrize("target", IN_THE_HOUSE)
def test_what_is_allowed_is_allowed_to_one_organization(target):
    """Another's URL may not even name it: their requests would go down the same connection."""
    assert DEMO.fault(f"https://{target}/", OURS) is None
    assert DEMO.fault(f"https://{target}/", OTHERS)


def test_pairs_are_read_from_the_setting():
    settings = Settings(webhook_allow_private=" org-a=Intake.Internal:8443 ,org-b=127.0.0.1:1,")
    assert settings.private_targets == [
        ("org-a", "intake.internal:8443"),
        ("org-b", "127.0.0.1:1"),
    ]


@pytest.mark.parametrize(
    "pair", ["127.0.0.1:9999", "org=host", "=host:1", "org=host:port", "o=h=1:1"]
)
def test_a_target_of_nobody_in_particular_is_no_setting(pair):
    with pytest.raises(ValidationError, match="organization=host:port"):
        Settings(webhook_allow_private=pair)
