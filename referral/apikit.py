"""The JSON API's kit: flask-smorest made to keep the house's promises, under /api/v1 and nowhere else.

Errors stay webkit's, so pages stay pages and a 405 keeps its Allow header. Query strings and bodies are read
strictly. Each operation documents its permission, its refusals and its idempotency key.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NoReturn, TypeVar

from flask import Flask, Response, current_app, request
from flask_smorest import Api
from flask_smorest import Blueprint as SmorestBlueprint
from marshmallow import RAISE, Schema, ValidationError
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.routing import BaseConverter, Map

from referral.errors import REFUSALS, Problem, Refusal
from referral.permissions import Permission
from referral.schemakit import HouseSchema, ProblemSchema
from referral.signin import csrf
from referral.text import clean_line
from referral.webkit import problem, status_of

API_URL = "/api/v1"
BODY_BYTES = 8 * 1024 * 1024
"""The largest body of a request."""
KEY_LENGTH = 200
PROBLEMS_SHOWN = 100
NAME_SHOWN = 100

View = TypeVar("View", bound=Callable[..., Any])

DESCRIPTION = (
    "Referrals, price lists, quotes, orders and sales credit, as the pages have them. `POST /tokens` gives a "
    "bearer token. Money is a text with two decimals, days are ISO dates, instants are in UTC. Lists answer "
    "`items` and `next`; `?after=` that continues them. A no is problem+json with a stable `code`."
)

KEY_HEADER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "Names this request. Sent again with the same content, it gets the same answer and does "
    "nothing; with other content it is refused.",
    "schema": {"type": "string", "minLength": 1, "maxLength": KEY_LENGTH, "pattern": r"^[!-~]+$"},
}


# reading requests -------------------------------------------------------------------------------


def _refuse(problems: Sequence[Problem]) -> NoReturn:
    raise Refusal(
        "invalid_input", "Something in the request needs your attention.", problems[0].field, {}, problems
    )


def _problems_of(messages: object, path: tuple[str, ...] = ()) -> Iterator[Problem]:
    """Yield a problem for each message of a schema; nested places are joined as lines-0-quantity."""
    if isinstance(messages, dict):
        for name, inner in messages.items():
            yield from _problems_of(inner, path if name == "_schema" else (*path, str(name)[:NAME_SHOWN]))
    elif isinstance(messages, list):
        for message in messages:
            yield from _problems_of(message, path)
    else:
        yield Problem("invalid_input", str(messages), "-".join(path))


def _only_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return read


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


def _repeated() -> list[Problem]:
    return [
        Problem("invalid_input", "Send this parameter once.", name[:NAME_SHOWN])
        for name, values in request.args.lists()
        if len(values) > 1
    ]


class ApiParser(FlaskParser):
    """Reads bodies and query strings; what a schema does not like becomes a Refusal."""

    DEFAULT_UNKNOWN_BY_LOCATION = {"json": RAISE, "query": RAISE}  # noqa: RUF012 - the library's place

    def load_json(self, req: Any, schema: Any) -> Any:
        """Return the body. Without one, a schema that says so gets an empty object."""
        body = req.get_data()
        if not body and schema.is_body_optional:
            return {}
        if body and req.mimetype != "application/json":
            raise UnsupportedMediaType("Send application/json.")
        try:
            return json.loads(body.decode(), object_pairs_hook=_only_once, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise BadRequest("The body is not valid JSON.") from error

    def load_querystring(self, req: Any, schema: Schema) -> Any:  # noqa: ARG002 - the library's signature
        """Return the query string, each parameter once."""
        if repeated := _repeated():
            _refuse(repeated)
        return req.args.to_dict()

    def handle_error(
        self,
        error: ValidationError,
        req: Any,  # noqa: ARG002 - the library's signature
        schema: Schema,  # noqa: ARG002 - the library's signature
        *,
        error_status_code: int | None,  # noqa: ARG002 - the library's signature
        error_headers: Any,  # noqa: ARG002 - the library's signature
    ) -> NoReturn:
        """Refuse with every field that is wrong. webargs puts the location around the messages."""
        (messages,) = error.messages_dict.values()
        _refuse(tuple(_problems_of(messages))[:PROBLEMS_SHOWN])


def idempotency_key() -> str:
    """Return the client's key, '' where there is none. Raises Refusal(invalid_input) for one that is no key."""
    key = request.headers.get("Idempotency-Key", "").strip()
    if len(key) > KEY_LENGTH or not all("!" <= character <= "~" for character in key):
        problem_found = Problem(
            "invalid_input", f"Send 1 to {KEY_LENGTH} ASCII characters without spaces.", "idempotency_key"
        )
        _refuse((problem_found,))
    return key


def request_line(name: str, longest: int) -> str:
    """Return a header of the request as one cleaned line."""
    return clean_line(request.headers.get(name, ""))[:longest]


# doors ------------------------------------------------------------------------------------------


class PublicNumberConverter(BaseConverter):
    """A public number in an address, such as Q-HARBOR-12, written the one way it is shown."""

    def __init__(self, url_map: Map, kind: str) -> None:
        """Take numbers of one kind: R, Q, O or D."""
        super().__init__(url_map)
        self.regex = rf"{kind}-[A-Z0-9]{{3,8}}-[1-9][0-9]{{0,8}}"


def _document_public_number(converter: PublicNumberConverter) -> dict[str, str]:
    return {"type": "string", "pattern": f"^{converter.regex}$"}


class ApiBlueprint(SmorestBlueprint):
    """The blueprint of a floor's API."""

    ARGUMENTS_PARSER = ApiParser()

    def __init__(self, name: str, import_name: str, description: str) -> None:
        """Hang it under API_URL; it limits bodies, refuses stray parameters, and takes tokens alone."""
        super().__init__(name, import_name, url_prefix=API_URL, description=description)
        self._prepare_doc_cbks.append(self._prepare_house_doc)
        self.before_request(_guard_request)
        self.after_request(_ask_for_token)
        self.register_error_handler(RequestEntityTooLarge, _on_large_body)

    def arguments(
        self, schema: type[HouseSchema], *, location: str = "json", **kwargs: Any
    ) -> Callable[[View], View]:
        """Read the request by a schema, and remember that a query string is taken."""
        decorate = super().arguments(
            schema, location=location, required=not schema.is_body_optional, **kwargs
        )

        def mark(view: View) -> View:
            taken: Any = decorate(view)
            if location == "query":
                taken.takes_query = True
            return taken  # type: ignore[no-any-return] # what the library returns is the view, wrapped

        return mark

    def refuses(self, *codes: str, keyed: bool = False) -> Callable[[View], View]:
        """Document the refusals of an operation; `keyed` ones take an Idempotency-Key."""

        def mark(view: Any) -> Any:
            view._apidoc = {**getattr(view, "_apidoc", {}), "refusals": codes, "keyed": keyed}  # noqa: SLF001 - the library's place
            return view

        return mark

    def _store_endpoint_docs(
        self, endpoint: str, obj: Any, parameters: Any, tags: Any, **options: Any
    ) -> None:
        """Keep the permission beside the rest of the documentation."""
        super()._store_endpoint_docs(endpoint, obj, parameters, tags, **options)
        for method in options.get("methods", ("GET",)):
            self._docs[endpoint][method.lower()]["permission"] = obj.permission

    @staticmethod
    def _prepare_house_doc(
        doc: dict[str, Any], doc_info: dict[str, Any], **_context: object
    ) -> dict[str, Any]:
        permission: Permission = doc_info["permission"]
        is_public = permission is Permission.PUBLIC
        codes = {*doc_info.get("refusals", ()), "invalid_input"}
        codes |= set() if is_public else {"sign_in_failed", "forbidden"}
        doc["responses"] = _responses(doc.get("responses", {}), codes, has_body="requestBody" in doc)
        doc["x-permission"] = permission.value
        if is_public:
            doc["security"] = []
        if doc_info.get("keyed"):
            doc.setdefault("parameters", []).append(KEY_HEADER)
        return doc


def _responses(answers: dict[Any, Any], codes: Iterable[str], *, has_body: bool) -> dict[int, Any]:
    """Return the documented answers: the good ones, and each refusal under its status."""
    by_status: dict[int, list[str]] = {404: ["`not_found`"]}
    for code in sorted(codes):
        by_status.setdefault(status_of(Refusal(code)), []).append(f"`{code}`")
    if has_body:
        by_status |= {400: ["no JSON"], 413: ["too large"], 415: ["not application/json"]}
        by_status[405] = ["a number in the path is out of its range"]
    good = {int(status): answer for status, answer in answers.items() if int(status) < 400}
    noes = {
        status: {
            "description": ", ".join(dict.fromkeys(words)),
            "content": {"application/problem+json": {"schema": ProblemSchema}},
        }
        for status, words in sorted(by_status.items())
    }
    return good | noes


def _guard_request() -> None:
    """Limit the body, and refuse parameters where none are taken."""
    request.max_content_length = BODY_BYTES
    view = current_app.view_functions[request.endpoint or ""]
    if request.args and not getattr(view, "takes_query", False):
        stray = [
            Problem("invalid_input", "There is no such parameter.", name[:NAME_SHOWN])
            for name in request.args
        ]
        _refuse(stray[:PROBLEMS_SHOWN])


def _ask_for_token(response: Response) -> Response:
    """Name the scheme that a 401 asks for (RFC 9110)."""
    if response.status_code == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _on_large_body(_error: RequestEntityTooLarge) -> Response:
    return problem(413, "http_error", f"A body has at most {BODY_BYTES:,} bytes.")


class HouseApi(Api):
    """flask-smorest without its error handlers."""

    ERROR_SCHEMA = ProblemSchema
    DEFAULT_ERROR_RESPONSE_NAME = None

    def _register_error_handlers(self) -> None:
        """Leave errors to webkit: as shipped, every 404 of the application would become JSON."""

    def _register_etag_headers(self) -> None:
        """Nothing here has an ETag: what can change says its version or digest in the body."""

    def _register_pagination_header(self) -> None:
        """Lists continue by a cursor in the body."""


def prepare_api(app: Flask, blueprints: Iterable[ApiBlueprint]) -> None:
    """Give the app its API and the API its description; called once at the roof."""
    app.config.setdefault("OPENAPI_URL_PREFIX", API_URL)
    app.url_map.converters["public_number"] = PublicNumberConverter
    api = HouseApi(
        app,
        spec_kwargs={
            "title": "Referral ledger",
            "version": "v1",
            "openapi_version": "3.1.0",
            "info": {"description": DESCRIPTION},
            "security": [{"bearer": []}],
        },
    )
    api.spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
    api.register_converter(PublicNumberConverter, _document_public_number)
    for blueprint in blueprints:
        csrf.exempt(blueprint)
        api.register_blueprint(blueprint)


def refusal_rows() -> Iterator[tuple[str, int, str]]:
    """Yield every refusal for the docs: code, status, sentence."""
    for code, sentence in sorted(REFUSALS.items()):
        yield code, status_of(Refusal(code)), sentence
