"""Lending the right to decide."""

from __future__ import annotations

from uuid import UUID

from wtforms import SelectChoice, SelectField

from referral.formkit import DayField, HouseForm
from referral.queries.delegations import DelegationsPage


class LendDecisionForm(HouseForm):
    """Whose right goes to whom, from which day through which."""

    approver_id = SelectField("Right to decide of", validate_choice=True)
    delegate_id = SelectField("Lent to", validate_choice=True)
    first_on = DayField("First day")
    last_on = DayField("Last day, included")

    def offer(self, page: DelegationsPage) -> None:
        """Offer the people to choose from."""
        self.approver_id.choices = [SelectChoice(str(each.user_id), each.name) for each in page.approvers]
        self.delegate_id.choices = [SelectChoice(str(each.user_id), each.name) for each in page.delegates]

    def chosen(self) -> tuple[UUID, UUID]:
        """Return whose right goes to whom."""
        return UUID(self.approver_id.data), UUID(self.delegate_id.data)
