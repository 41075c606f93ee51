"""What a user may choose in a file: frozen, strict, with units in the values instead of the names."""

from collections.abc import Sequence
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from cluster_sim.core.errors import did_you_mean
from cluster_sim.core.units import strip_unit

#: Where a mistake is, from the Spec that finds it, and what it is.
Problem = tuple[tuple[str, ...], str]


def raise_problems(title: str, problems: Sequence[Problem]) -> None:
    """From a validator: report several mistakes, each at its own field; does nothing where there are none."""
    if problems:
        raise ValidationError.from_exception_data(title, [_value_error(*problem) for problem in problems])


def _value_error(field: tuple[str, ...], message: str) -> InitErrorDetails:
    return InitErrorDetails(type="value_error", loc=field, input=None, ctx={"error": ValueError(message)})


def whole_numbers(spec: type[BaseModel], data: Any) -> dict[str, Any]:
    """The fields of unread ``data`` that are whole numbers in their range, and the defaults of those not given."""
    found: dict[str, Any] = {}
    for name, field in spec.model_fields.items() if isinstance(data, dict) else ():
        value = data.get(name, field.default)
        least = max((rule.ge for rule in field.metadata if hasattr(rule, "ge")), default=value)
        if field.annotation is int and type(value) is int and value >= least:
            found[name] = value
    return found


class Spec(BaseModel):
    """Base of everything that is read from YAML.

    A field ``link_latency_s`` is written ``link_latency: 500 ns`` in a file; from Python either name works, with SI
    numbers. Unknown keys are errors that suggest the nearest known one. Instances are frozen and compare by value.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=strip_unit,
        validate_by_name=True,
        validate_by_alias=True,
        allow_inf_nan=False,
    )

    @field_validator("*", mode="before")
    @classmethod
    def _is_what_it_looks_like(cls, value: Any, info: ValidationInfo) -> Any:
        """Pydantic would read true as 1, and '4' as 4; and numbers that no float holds crash what comes later."""
        kind = cls.model_fields[str(info.field_name)].annotation
        if kind is bool and not isinstance(value, bool):
            raise ValueError(f"input should be true or false; got {value!r}")
        if kind is int and isinstance(value, bool | str):
            raise ValueError(f"input should be a valid integer; got {value!r}")
        if kind is int and isinstance(value, int) and abs(value) >= 2**63:
            raise ValueError("input should be less than 2**63")
        if kind == tuple[int, ...] and isinstance(value, list | tuple):
            wrong = next((item for item in value if isinstance(item, bool | str)), None)
            if wrong is not None:
                raise ValueError(f"input should be whole numbers; got {wrong!r}")
        if kind is float and isinstance(value, bool):
            raise ValueError(f"input should be a valid number; got {value!r}")
        return value

    @model_validator(mode="wrap")
    @classmethod
    def _report_everything(cls, data: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        """Suggest known keys for unknown ones, and check what can be checked although a field is wrong."""
        try:
            return handler(data)
        except ValidationError as error:
            found: list[dict[str, Any]] = [dict(detail) for detail in error.errors(include_url=False)]
            known = {(detail["loc"], str(detail.get("ctx", {}).get("error"))) for detail in found}
            besides = [problem for problem in cls.problems_besides(data, info.context) if problem not in known]
            details = [*map(cls._detail, found), *(_value_error(*problem) for problem in besides)]
            raise ValidationError.from_exception_data(cls.__name__, details) from error

    @classmethod
    def problems_besides(cls, data: Any, context: Any) -> Sequence[Problem]:
        """What is wrong between fields of unread ``data`` of which some may be wrong themselves; nothing by default."""
        return ()

    @classmethod
    def _detail(cls, detail: dict[str, Any]) -> InitErrorDetails:
        if detail["type"] == "extra_forbidden" and len(detail["loc"]) == 1:
            known = tuple(strip_unit(name) for name in cls.model_fields)
            hint = did_you_mean(str(detail["loc"][0]), known)
            text = f"unknown key{hint} (known: {', '.join(known)})".replace("{", "{{").replace("}", "}}")
            return InitErrorDetails(
                type=PydanticCustomError("unknown_key", text), loc=detail["loc"], input=detail["input"]
            )
        kind = detail["type"]
        if kind == "unknown_key":
            kind = PydanticCustomError("unknown_key", detail["msg"])
        return InitErrorDetails(type=kind, loc=detail["loc"], input=detail["input"], ctx=detail.get("ctx", {}))
