"""Sign-in by Flask-Security: its flows over our users, our commit, our outbox, our templates."""

from __future__ import annotations

import secrets
import unicodedata
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from flask import Flask, g, request
from flask.wrappers import Response
from flask_login import current_user
from flask_security import (
    ChangePasswordForm,
    ForgotPasswordForm,
    LoginForm,
    MailUtil,
    ResetPasswordForm,
    RoleMixin,
    Security,
    UserMixin,
    hash_password,
)
from flask_security.datastore import UserDatastore
from flask_wtf.csrf import CSRFProtect
from sqlalchemy.orm import Session
from werkzeug.exceptions import UnsupportedMediaType
from wtforms import ValidationError

from referral.clock import now
from referral.db import read, write
from referral.errors import Refusal
from referral.formkit import AddressField
from referral.models import User
from referral.operations.people import record_failed_sign_in, save_credentials
from referral.operations.records import queue_mail
from referral.permissions import Permission, Viewer
from referral.queries.people import guard_tries, user_by_email, user_by_sign_in_id, viewer_of, viewer_of_token

LONGEST_EMAIL = 254

FOREIGN_PERMISSIONS = {
    "static": Permission.PUBLIC,
    "api-docs.openapi_json": Permission.PUBLIC,
    "security.login": Permission.PUBLIC,
    "security.logout": Permission.PUBLIC,
    "security.forgot_password": Permission.PUBLIC,
    "security.reset_password": Permission.PUBLIC,
    "security.change_password": Permission.SIGNED_IN,
}
"""What views ask for that are not written here; a view of Flask-Security not listed answers 403."""

SECURITY_SETTINGS: dict[str, object] = {
    "SECURITY_URL_PREFIX": None,
    "SECURITY_LOGIN_URL": "/sign-in",
    "SECURITY_LOGOUT_URL": "/sign-out",
    "SECURITY_LOGOUT_METHODS": ["POST"],
    "SECURITY_RESET_URL": "/reset-password",
    "SECURITY_CHANGE_URL": "/change-password",
    "SECURITY_POST_LOGIN_VIEW": "/",
    "SECURITY_POST_LOGOUT_VIEW": "/sign-in",
    "SECURITY_POST_RESET_VIEW": "/sign-in",
    "SECURITY_POST_CHANGE_VIEW": "/",
    "SECURITY_RECOVERABLE": True,
    "SECURITY_CHANGEABLE": True,
    "SECURITY_REGISTERABLE": False,
    "SECURITY_TRACKABLE": False,
    "SECURITY_RETURN_GENERIC_RESPONSES": True,
    "SECURITY_PASSWORD_HASH": "argon2",
    "SECURITY_PASSWORD_LENGTH_MIN": 12,
    "SECURITY_PASSWORD_NORMALIZE_FORM": "NFKC",
    "SECURITY_EMAIL_VALIDATOR_ARGS": {"check_deliverability": False, "test_environment": True},
    "SECURITY_EMAIL_SENDER": "ledger@localhost",
    "SECURITY_CSRF_IGNORE_UNAUTH_ENDPOINTS": False,
    "SECURITY_CLI_USERS_NAME": None,
    "SECURITY_CLI_ROLES_NAME": None,
    "SECURITY_API_ENABLED_METHODS": ["session"],
    "SECURITY_RESET_PASSWORD_WITHIN": timedelta(hours=2),
    "SECURITY_ANONYMOUS_USER_DISABLED": False,
    "SECURITY_AUTO_LOGIN_AFTER_RESET": False,
    "SECURITY_LOGIN_USER_TEMPLATE": "referral/sign_in.html",
    "SECURITY_FORGOT_PASSWORD_TEMPLATE": "referral/forgot_password.html",
    "SECURITY_RESET_PASSWORD_TEMPLATE": "referral/reset_password.html",
    "SECURITY_CHANGE_PASSWORD_TEMPLATE": "referral/change_password.html",
    "SECURITY_FLASH_MESSAGES": True,
    "SECURITY_EMAIL_PLAINTEXT": True,
    "SECURITY_EMAIL_HTML": False,
    "SECURITY_EMAIL_SUBJECT_PASSWORD_RESET": "Choose a new password for the Ketra referral ledger",
    "SECURITY_EMAIL_SUBJECT_PASSWORD_NOTICE": "Your password for the Ketra referral ledger is new",
    "SECURITY_EMAIL_SUBJECT_PASSWORD_CHANGE_NOTICE": "Your password for the Ketra referral ledger is new",
    "SECURITY_MSG_GENERIC_AUTHN_FAILED": ("E-mail and password do not match.", "error"),
    "SECURITY_MSG_PASSWORD_RESET_REQUEST": (
        "If %(email)s is known here, a mail with a link is on its way. The link works for two hours.",
        "info",
    ),
    "SECURITY_MSG_PASSWORD_RESET_EXPIRED": ("This link is too old. Ask for a new one.", "error"),
    "SECURITY_MSG_INVALID_RESET_PASSWORD_TOKEN": (
        "This link does not work any more. Ask for a new one.",
        "error",
    ),
    "SECURITY_MSG_PASSWORD_RESET_NO_LOGIN": ("Your new password holds. Sign in with it.", "success"),
    "SECURITY_MSG_PASSWORD_CHANGE": ("Your new password holds; other devices are signed out.", "success"),
    "SECURITY_MSG_PASSWORD_INVALID_LENGTH": ("Use %(length)s characters or more.", "error"),
    "SECURITY_MSG_PASSWORD_NOT_PROVIDED": ("This is needed.", "error"),
    "SECURITY_MSG_RETYPE_PASSWORD_MISMATCH": ("The two passwords are not the same.", "error"),
    "SECURITY_MSG_INVALID_PASSWORD": ("This is not your password.", "error"),
    "SECURITY_MSG_PASSWORD_IS_THE_SAME": ("Choose a password other than the present one.", "error"),
}


class SignInUser(UserMixin):
    """A user as Flask-Security wants it, made from our row; `viewer` is who it is to the house."""

    fs_uniquifier = ""
    email = ""
    password: str | None = None
    active = False
    roles: tuple[()] = ()

    def __init__(self, user: User, viewer: Viewer | None) -> None:
        """Copy what sign-in needs."""
        self.id: UUID = user.id
        self.email = user.email
        self.password = user.password_hash
        self.fs_uniquifier = user.sign_in_id
        self.active = user.is_active
        self.viewer = viewer


def load_sign_in_user(
    tx: Session, sign_in_id: str | None, email: str | None, *, at: datetime
) -> SignInUser | None:
    """Return the active user of a session or an address, with who it is, or None."""
    user = None
    if sign_in_id is not None:
        user = user_by_sign_in_id(tx, sign_in_id)
    elif email is not None:
        user = user_by_email(tx, email)
    if user is None or not user.is_active:
        return None
    return SignInUser(user, viewer_of(tx, user.id, at=at))


class SignInDatastore(UserDatastore):
    """What Flask-Security changes of a user goes through `write`, like every other change."""

    def __init__(self) -> None:
        """Tell Flask-Security our user class; roles are ours alone."""
        super().__init__(SignInUser, RoleMixin)

    def find_user(self, case_insensitive: bool = False, **kwargs: Any) -> SignInUser | None:  # noqa: ARG002 - the library's signature
        """Return a user by fs_uniquifier or email, or None."""
        return read(load_sign_in_user, kwargs.get("fs_uniquifier"), kwargs.get("email"), at=now())

    def put(self, model: SignInUser) -> SignInUser:
        """Remember a change until Flask-Security commits."""
        g.changed_sign_in_user = model
        return model

    def set_uniquifier(self, user: SignInUser, uniquifier: str | None = None) -> None:
        """Sign the user out everywhere: the id sessions name changes."""
        user.fs_uniquifier = uniquifier or secrets.token_hex(16)
        self.put(user)

    def commit(self) -> None:
        """Write the remembered change."""
        user: SignInUser | None = g.pop("changed_sign_in_user", None)
        if user is not None:
            write(
                save_credentials,
                at=now(),
                user_id=user.id,
                password_hash=user.password,
                sign_in_id=user.fs_uniquifier,
            )


class OutboxMail(MailUtil):
    """Flask-Security's mails become rows of the outbox."""

    def send_mail(
        self,
        template: str,  # noqa: ARG002 - the library's signature
        subject: str,
        recipient: str | tuple[str, str],
        sender: str | tuple[str, str],  # noqa: ARG002 - the library's signature
        body: str | None,
        html: str | None,  # noqa: ARG002 - the library's signature
        **kwargs: Any,  # noqa: ARG002 - the library's signature
    ) -> None:
        """Owe the mail."""
        write(queue_mail, at=now(), recipient=str(recipient), subject=str(subject), body=body or "")


class SignInForm(LoginForm):
    """E-mail and password; whatever is wrong, the answer is the same sentence."""

    email = AddressField("E-mail", render_kw={"autocomplete": "username"})
    remember = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Name the field as the house does; the page draws the link to a new password itself."""
        super().__init__(*args, **kwargs)
        self.password.label.text, self.password.description = "Password", ""

    def validate(self, **kwargs: Any) -> bool:
        """Check e-mail and password; say once where both are wrong. Raises Refusal(too_many_tries)."""
        email, address = self.email.data or "", request.remote_addr or ""
        read(guard_tries, email=email, address=address, at=now())
        is_right: bool = super().validate(**kwargs)
        if self.email.data and self.password.data and not is_right:
            write(record_failed_sign_in, at=now(), email=email[:LONGEST_EMAIL], address=address)
        if self.email.errors and self.password.errors:
            self.email.errors = []
        return is_right


class AskForResetForm(ForgotPasswordForm):
    """The e-mail address of somebody who forgot the password."""

    email = AddressField("E-mail", render_kw={"autocomplete": "username"})

    def validate_email(self, field: AddressField) -> None:
        """Find the user; the page answers alike whether there is one."""
        self.user = read(load_sign_in_user, None, field.data or "", at=now())
        if self.user is None:
            raise ValidationError("unknown")


class NewPasswordForm(ResetPasswordForm):
    """A new password, typed twice."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Name the fields as the house does."""
        super().__init__(*args, **kwargs)
        self.password.label.text, self.password_confirm.label.text = "New password", "The same again"


class ChangeOwnPasswordForm(ChangePasswordForm):
    """The present password, and a new one typed twice."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Name the fields as the house does."""
        super().__init__(*args, **kwargs)
        self.password.label.text = "Present password"
        self.new_password.label.text, self.new_password_confirm.label.text = "New password", "The same again"


csrf = CSRFProtect()


def prepare_sign_in(app: Flask) -> None:
    """Give the app its sign-in; called once at the roof."""
    for name, value in SECURITY_SETTINGS.items():
        app.config.setdefault(name, value)
    app.config.setdefault("SECURITY_PASSWORD_SALT", str(app.config["SECRET_KEY"]))
    csrf.init_app(app)
    security = Security(
        app,
        SignInDatastore(),
        mail_util_cls=OutboxMail,
        login_form=SignInForm,
        forgot_password_form=AskForResetForm,
        reset_password_form=NewPasswordForm,
        change_password_form=ChangeOwnPasswordForm,
    )
    # Programs use the API with its own tokens: sign-in speaks to people only.
    security.want_json(lambda _request: False)
    app.login_manager.request_loader(lambda _request: None)  # type: ignore[attr-defined] # Flask-Login's place
    app.before_request(_take_forms_alone)
    app.after_request(_see_other)


def _take_forms_alone() -> None:
    """Refuse JSON at the sign-in pages: Flask-Security would read it, and unchecked. Programs have the API."""
    if request.blueprint == "security" and request.is_json:
        raise UnsupportedMediaType("Send the form of the page.")


def _see_other(response: Response) -> Response:
    """Answer a form with 303, as the house's own pages do; Flask-Security says 302."""
    if response.status_code == 302 and request.method == "POST":
        response.status_code = 303
    return response


def make_password_hash(password: str) -> str:
    """Return the hash of a password, normalized as sign-in does; Flask-Security's own rules are the form's."""
    answer: str = hash_password(unicodedata.normalize("NFKC", password))
    return answer


def load_viewer() -> Viewer | None:
    """Return who this request comes from: a bearer token for the API, a signed-in session for pages."""
    if request.path.startswith("/api/"):
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return None
        return read(viewer_of_token, token.strip(), at=now())
    if request.endpoint in {"static", "referral.health"} or not current_user.is_authenticated:
        return None
    viewer: Viewer | None = current_user.viewer
    return viewer


def viewer_with_password(email: str, password: str) -> Viewer:
    """Return who signs in so, outside the pages.

    Raises Refusal(sign_in_failed), the same and in about the same time for an unknown address, and
    (too_many_tries).
    """
    address = request.remote_addr or ""
    read(guard_tries, email=email, address=address, at=now())
    user = read(load_sign_in_user, None, email, at=now())
    password = unicodedata.normalize("NFKC", password)
    if user is None or user.password is None:
        hash_password(password)
    elif user.viewer is not None and user.verify_and_update_password(password):
        return user.viewer
    write(record_failed_sign_in, at=now(), email=email[:LONGEST_EMAIL], address=address)
    raise Refusal("sign_in_failed")
