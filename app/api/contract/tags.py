"""The headings of the contract, by who uses them. A route names one of these in its `tags`."""

TAGS: list[dict[str, str]] = [
    {
        "name": "Referrals",
        "description": "Hospitals, practices, community organizations and EHRs: ask first, refer, "
        "follow, add information, take back.",
    },
    {
        "name": "Providers",
        "description": "ECM and Community Supports providers: what was sent to you; accept, "
        "decline, start, complete; publish capacity.",
    },
    {
        "name": "Plan staff",
        "description": "Decide what the rules leave to a person: approve, deny, ask for "
        "information, assign; see why the rules said what they said; the work queue and letters.",
    },
    {
        "name": "Directory",
        "description": "Organizations, offers, members, questionnaires, the catalog of services.",
    },
    {
        "name": "Notifications",
        "description": "Webhook endpoints, messages and attempts; FHIR Subscriptions.",
    },
    {
        "name": "Access",
        "description": "Tokens, discovery, and what this server can do.",
    },
    {
        "name": "Operations",
        "description": "Health, metrics and reports, for those who run the service.",
    },
]
