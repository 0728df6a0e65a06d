"""The dealer's decision on a revision."""

from __future__ import annotations

from wtforms import BooleanField
from wtforms.widgets import HiddenInput

from quotes.forms.lines import PerLineField
from quotes.rules.content import ATTESTATIONS
from referral.formkit import HouseForm, LineField, ParagraphField, QuantityField

DIGEST_LENGTH = 64
REMARK_LENGTH = 500
REASON_LENGTH = 2_000
LARGEST_OFFER = 999_999


class ApproveRevisionForm(HouseForm):
    """Four statements, the account number and the name typed; the digest and the services' offer that were read."""

    digest = LineField("What you read", longest=DIGEST_LENGTH, widget=HiddenInput())
    offer_number = QuantityField("Offer you read", optional=True, maximum=LARGEST_OFFER, widget=HiddenInput())
    attested_suitable = BooleanField(ATTESTATIONS["attested_suitable"])
    attested_reviewed = BooleanField(ATTESTATIONS["attested_reviewed"])
    attested_complete = BooleanField(ATTESTATIONS["attested_complete"])
    attested_account_number = BooleanField(ATTESTATIONS["attested_account_number"])
    typed_account_number = LineField("Type your Lutron account number", longest=40)
    typed_name = LineField("Type your name")

    @property
    def attested(self) -> frozenset[str]:
        """The names of the statements that are ticked."""
        ticks = (
            self.attested_suitable,
            self.attested_reviewed,
            self.attested_complete,
            self.attested_account_number,
        )
        return frozenset(tick.name for tick in ticks if tick.data)


class RequestChangesForm(HouseForm):
    """Why the revision goes back, and what is asked for at single lines."""

    digest = LineField("What you read", longest=DIGEST_LENGTH, widget=HiddenInput())
    reason = ParagraphField("What should change?", optional=True, longest=REASON_LENGTH)
    remark = PerLineField("Remarks at lines", LineField("Remark", optional=True, longest=REMARK_LENGTH))


class DeclineRevisionForm(HouseForm):
    """Why the dealer does not want the revision."""

    digest = LineField("What you read", longest=DIGEST_LENGTH, widget=HiddenInput())
    reason = ParagraphField("Why do you decline?", longest=REASON_LENGTH)
