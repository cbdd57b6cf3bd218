"""Pages from templates: whatever is written into them is text, and they load nothing."""

import base64
import hashlib
import re
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest
from jinja2 import UndefinedError

from app.views import page as module
from app.views.deliveries.model import Channel, DeliveriesPage, LetterTold, Told, Try
from app.views.deliveries.model import Outcome as Delivered
from app.views.deliveries.show import deliveries_document as deliveries
from app.views.letters.content import Addressee
from app.views.letters.letter import compose_letter, html
from app.views.page import page, printable, templates
from app.views.reports import chart
from app.views.reports.model import Outcomes, PriorAuthorization, Reasons, Sources, Timeliness
from app.views.timeline.document import timeline_document as timeline
from app.views.timeline.model import Clock, Entry, Kind, Mark, Running, Stage, Timeline
from tests.correspondence.samples import content

NOW = datetime(2026, 11, 20, 18, tzinfo=UTC)
HOSTILE = """<script>alert("x")</script>'"> ]]> & </style> {{ 7 * 7 }} {% raw %}"""
HARMLESS = re.sub(r"[^\w\s]", "x", HOSTILE)
FILES = sorted(Path(module.__file__).with_name("templates").iterdir())


class Read(HTMLParser):
    """What a browser makes of a page: its elements, their attributes, and its text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.words = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *each) for each in attrs]

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return "".join(self.words)


def a_timeline(text, number=3):
    entry = Entry(at=NOW, kind=Kind.MOVE, title=text, text=text, by=text, details=[text] * 9)
    clock = Clock(
        name=text,
        title=text,
        began=NOW,
        due=NOW + timedelta(days=1),
        ended=None,
        state=Running.RUNNING,
        in_words=text,
    )
    return Timeline(
        referral=text,
        plan=text,
        plan_name=text,
        service=text,
        service_name=text,
        cin=text,
        requester=text,
        performer=text,
        urgent=True,
        received=NOW,
        state=text,
        business_status=text,
        now=text,
        stages=[Stage(name=text, mark=mark, text=text) for mark in Mark],
        clocks=[clock],
        entries=[entry] * number,
    )


def the_deliveries(text):
    tries = [Try(number=1, at=NOW, status=None, error=text, duration_ms=1, manual=True)]
    told = Told(
        message_id=text,
        event_type=text,
        meaning=text,
        occurred_at=NOW,
        plan=text,
        referral=text,
        sequence=1,
        organization=text,
        organization_name=text,
        kind=Channel.SUBSCRIPTION,
        endpoint=text,
        event_number=4,
        state=Delivered.DEAD,
        in_words=text,
        attempts=1,
        tries=tries,
        next_attempt_at=NOW + timedelta(days=1),
        delivered_at=NOW,
        redeliver=text,
    )
    letter = LetterTold(
        outcome=text,
        recipient=text,
        organization_name=text,
        status="skipped",
        medium=text,
        sent_at=None,
        reason=text,
    )
    return DeliveriesPage(deliveries=[told], letters=[letter], next=text)


def the_reports(text):
    outcomes = [
        Outcomes(
            service=text,
            received=9,
            approved=5,
            denied=4,
            void=0,
            cancelled=0,
            pending=0,
            approved_percent=None,
        )
    ]
    timeliness = [
        Timeliness(
            track=text,
            decided=3,
            in_time=2,
            late=1,
            in_time_percent=66.7,
            average_hours=1.5,
            median_hours=None,
            longest_hours=2.0,
            overdue_now=0,
        )
    ]
    prior = PriorAuthorization.model_construct(
        track=text,
        requests=1,
        approved_percent=1.0,
        denied_percent=99.0,
        average_days=None,
        median_days=None,
    )
    return page(
        "reports.html",
        plan=text,
        days=SimpleNamespace(first="2026-11-01", last=text),
        received=chart.outcomes_chart(outcomes),
        outcomes=chart.outcomes_table(outcomes),
        in_time=chart.timeliness_chart(timeliness),
        timeliness=chart.timeliness_table(timeliness),
        reasons=chart.reasons_table(
            [Reasons(outcome=text, reason=text, meaning=text, referrals=1)]
        ),
        sources=chart.sources_table(
            [Sources(source=text, organization_kind=text, referrals=1, urgent=0)]
        ),
        prior_authorization=chart.prior_authorization_table([prior]),
    )


def a_letter(text):
    letter = compose_letter(content())
    return replace(
        compose_letter(
            replace(content(), to=Addressee(text, (text,)), member=text, referral_id=text)
        ),
        sender=text,
        title=text,
        greeting=text,
        sections=tuple(
            replace(section, heading=text, paragraphs=(text,), points=((text, text),))
            for section in letter.sections
        ),
        taglines=(("es", text),),
    )


PAGES = {
    "timeline": lambda text: timeline(a_timeline(text), NOW),
    "deliveries": lambda text: deliveries(the_deliveries(text), text, NOW),
    "reports": the_reports,
}


def shown(name, text):
    return html(a_letter(text)) if name == "letter" else PAGES[name](text).body.decode()


@pytest.mark.parametrize("name", [*PAGES, "letter"])
def test_a_hostile_text_stays_text_wherever_it_stands(name):
    page_ = shown(name, HOSTILE)
    read, harmless = Read(page_), Read(shown(name, HARMLESS))
    assert read.tags == harmless.tags
    assert [each[:2] for each in read.attributes] == [each[:2] for each in harmless.attributes]
    assert not {"script", "img", "link"} & set(read.tags)
    assert read.text.count(HOSTILE) >= 5
    assert "&amp;lt;" not in page_
    assert "&amp;#" not in page_


@pytest.mark.parametrize("name", PAGES)
def test_the_policy_allows_the_style_of_the_page_and_no_other(name):
    answer = PAGES[name]("x")
    (style,) = re.findall(r"<style>(.*?)</style>", answer.body.decode(), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}';" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<a href='x'>&\x00\x07\u202e", "&lt;a href=&#39;x&#39;&gt;&amp;"),
        ('two\nlines, "one" tab\t', "two\nlines, &#34;one&#34; tab"),
        (None, "None"),
        (7.5, "7.5"),
        (Delivered.DEAD, "dead"),
    ],
)
def test_text_is_escaped_and_printable(text, said):
    assert templates(printable).from_string("{{ text }}").render(text=text) == said


def test_a_name_that_a_template_is_not_given_is_an_error():
    with pytest.raises(UndefinedError):
        page("timeline.html", told=a_timeline("x"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_template_turns_the_escaping_off_or_loads_anything(file):
    templates().get_template(file.name)
    text = file.read_text()
    assert not re.search(r"\|\s*(safe|xmlattr|urlize)|autoescape|<script|<link|@import|url\(", text)
    assert not re.search(r"\s(on\w+|style|src)=", text)
    assert not re.search(r"=\s*\{\{", text), "an attribute's value stands in quotes"


def test_a_long_life_is_drawn_in_a_moment_and_stays_small():
    told = a_timeline("x")
    (entry,) = a_timeline("&" * 5_000, number=1).entries
    told.entries += [entry.model_copy(update={"title": "Move"})] * 50_000
    began = time.process_time()
    answer = timeline(told, NOW)
    assert time.process_time() - began < 1
    assert len(answer.body) < 100_000
    assert "earlier entries are not shown" in answer.body.decode()
