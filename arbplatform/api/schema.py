"""How the envelope looks in the OpenAPI document."""

from typing import Any, Literal

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import OpenApiParameter
from rest_framework.permissions import SAFE_METHODS

from arbplatform.api.envelope import SUCCESS_CODE, SUCCESS_MESSAGE
from arbplatform.api.fields import BodySerializer

ERROR_COMPONENT = "ErrorEnvelope"
ERROR_CODE = {
    "type": "integer",
    "minimum": SUCCESS_CODE + 1,
    "description": "What went wrong; docs/error-codes.md lists them all.",
}
JSON = "application/json"
_REF = "#/components/schemas/"


class EnvelopeSchema(AutoSchema):
    """Documents every success inside the envelope and every error as ``ErrorEnvelope``.

    Named components keep generated clients readable: ``Strategy`` comes as ``StrategyEnvelope``.
    A 204 is documented as what is really sent: a 200 with ``data`` null.
    """

    def get_summary(self) -> str:
        """Return the first sentence of the description: lists of operations show it."""
        return str(self.get_description()).partition("\n")[0].rstrip(".")

    def get_override_parameters(self) -> list[Any]:
        """Return the headers of all views, wherever they are understood."""
        handler = getattr(self.view, self.method.lower(), None)
        found: list[Any] = list(getattr(handler, "version_headers", ()))
        is_write = self.method not in SAFE_METHODS and self.view.authentication_classes
        if not is_write or not getattr(self.view, "takes_keys", False):
            return found
        return [
            *found,
            OpenApiParameter(
                "Idempotency-Key",
                {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[!-~]+$"},
                OpenApiParameter.HEADER,
                description=(
                    "Your name for this request. Sent again within 24 h, it is not carried out "
                    "again: you get the first answer, with `Idempotent-Replayed: true`."
                ),
            ),
        ]

    def _map_basic_serializer(self, serializer: Any, direction: Any) -> dict[str, Any]:
        schema: dict[str, Any] = super()._map_basic_serializer(  # type: ignore[no-untyped-call]
            serializer, direction
        )
        if direction == "request" and isinstance(serializer, BodySerializer):
            schema["additionalProperties"] = False
        return schema

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> Any:
        bodies = super()._get_response_bodies(direction)
        if direction != "response":
            return bodies
        wrapped = {}
        for code, body in bodies.items():
            status = "200" if code == "204" else code
            wrapped[status] = self._wrap(body, is_success=code.startswith("2"))
        wrapped.setdefault("default", self._error_body())
        return wrapped

    def _wrap(self, body: dict[str, Any], *, is_success: bool) -> dict[str, Any]:
        content = body.get("content", {})
        if content and JSON not in content:
            return body  # a download, not an answer in the envelope
        data = content.get(JSON, {}).get("schema", {"type": "object", "nullable": True})
        if not content:
            data = {"nullable": True, "enum": [None]}
        media_type = {**content.get(JSON, {}), "schema": self._envelope(data, is_success)}
        default = "Success." if is_success else "An error."
        description = (body.get("description", "") if content else "") or default
        return {**body, "description": description, "content": {JSON: media_type}}

    def _envelope(self, data: dict[str, Any], is_success: bool) -> dict[str, Any]:
        success = {"type": "integer", "minimum": SUCCESS_CODE, "maximum": SUCCESS_CODE}
        schema = {
            "type": "object",
            "required": ["code", "msg", "data"],
            "properties": {
                "code": success if is_success else ERROR_CODE,
                "msg": {"type": "string", **({"example": SUCCESS_MESSAGE} if is_success else {})},
                "data": data,
            },
        }
        name = data.get("$ref", "").removeprefix(_REF)
        if not name:
            return schema
        return self._register(f"{name}{'' if is_success else 'Error'}Envelope", schema)

    def _error_body(self) -> dict[str, Any]:
        schema = {
            "type": "object",
            "required": ["code", "msg", "data"],
            "properties": {
                "code": ERROR_CODE,
                "msg": {
                    "type": "string",
                    "description": "What happened and what to do, in the reader's language.",
                },
                "data": {
                    "type": "object",
                    "nullable": True,
                    "properties": {
                        "fields": {
                            "type": "object",
                            "description": "Dotted field name to what is wrong with it.",
                            "additionalProperties": {
                                "type": "array",
                                "items": {"type": "string"},
                            },
                        }
                    },
                },
            },
        }
        reference = self._register(ERROR_COMPONENT, schema)
        return {"description": "An error.", "content": {JSON: {"schema": reference}}}

    def _register(self, name: str, schema: dict[str, Any]) -> dict[str, Any]:
        component = ResolvedComponent(  # type: ignore[no-untyped-call]
            name=name, type=ResolvedComponent.SCHEMA, schema=schema, object=name
        )
        self.registry.register_on_missing(component)
        return dict(component.ref)


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the API document describes the header."""

    target_class = "arbplatform.api.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """Return the OpenAPI security scheme."""
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Token <token>`, with a token from `POST /api/auth/login`.",
        }
