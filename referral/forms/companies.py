"""Forms: companies, account numbers, qualifications."""

from __future__ import annotations

from wtforms import SelectChoice

from referral.formkit import DayField, HouseForm, LineField, ParagraphField, TicksField
from referral.permissions import CompanyKind

KIND_WORDS = {
    CompanyKind.DEALER: "Dealer: refers projects and earns sales credit",
    CompanyKind.ACCOUNT: "Account: quotes and installs referred projects, while Ketra qualified",
    CompanyKind.PROGRAM: "Program: runs this ledger",
}


class AddCompanyForm(HouseForm):
    """A company as it joins."""

    code = LineField(
        "Code",
        longest=8,
        description="3 to 8 letters and digits. It stands in every number and never changes.",
    )
    name = LineField("Name")
    kinds = TicksField(
        "What it is", choices=[SelectChoice(kind.value, words) for kind, words in KIND_WORDS.items()]
    )
    city = LineField("City")
    region = LineField("Region", description="State or province, such as ME.")
    serves = LineField(
        "Serves", optional=True, description="For an account: regions it serves, and its capacity."
    )
    active_from = DayField("Active from")

    def chosen_kinds(self) -> frozenset[CompanyKind]:
        """Return the ticked kinds."""
        return frozenset(CompanyKind(value) for value in self.kinds.data or ())


class AddAccountNumberForm(HouseForm):
    """A Lutron account number and the days it holds."""

    number = LineField(
        "Account number", longest=40, description="Spaces and hyphens do not matter; leading zeros do."
    )
    valid_from = DayField("First day")
    valid_to = DayField("Last day", optional=True, description="Leave it empty while no end is known.")


class EndAccountNumberForm(HouseForm):
    """The last day of an account number."""

    valid_to = DayField("Last day", description="The number holds through the end of this day.")


class AddQualificationForm(HouseForm):
    """A Ketra qualification and its evidence."""

    valid_from = DayField("First day")
    valid_to = DayField("Last day", optional=True, description="Leave it empty while no end is known.")
    families = LineField(
        "Families",
        optional=True,
        description="What it is qualified for, separated by commas, such as D3, L3I. Empty is every family.",
    )
    evidence = LineField(
        "Evidence", description="What shows it, such as a training certificate and its date."
    )


class EndQualificationForm(HouseForm):
    """The last day of a qualification, and why."""

    valid_to = DayField("Last day", description="The account stays qualified through the end of this day.")
    reason = ParagraphField("Reason", render_kw={"rows": 3})
