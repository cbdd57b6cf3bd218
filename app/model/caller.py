"""Who is at the door: a client, its organization, and what it was granted."""

from dataclasses import dataclass

#: Plan staff: decide referrals, load rosters, keep the network.
DECIDE, ROSTER, NETWORK = "nwd/decide", "nwd/roster", "nwd/network"


@dataclass(frozen=True, slots=True)
class Caller:
    """One authenticated client. `plan` is set when its organization is a plan."""

    client_id: str
    organization_id: str
    plan: str | None
    scopes: frozenset[str]

    def may(self, resource: str, letter: str) -> bool:
        """Whether a SMART v2 scope grants `letter` (c, r, u, d or s) on a resource type."""
        for scope in self.scopes:
            level, _, rest = scope.partition("/")
            kind, _, letters = rest.partition(".")
            if level == "system" and kind in ("*", resource) and letter in letters.split("?")[0]:
                return True
        return False

    @property
    def staff(self) -> bool:
        """Plan staff see every referral of their plan, and those whose plan is not known yet."""
        return self.plan is not None and DECIDE in self.scopes

    @property
    def staff_plans(self) -> list[str]:
        """The plan keys this caller sees as staff; empty for everybody else."""
        return [self.plan, UNASSIGNED] if self.staff and self.plan else []


#: The reserved plan key of referrals whose plan is not known yet.
UNASSIGNED = "unassigned"
