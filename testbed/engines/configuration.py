"""What becomes of a customer's configuration, the same for both engines."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SanitizationWarning:
    """What was removed, as UpdateConfiguration tells (API). ``attribute_name`` is empty when it was a whole element."""

    reason: str
    element_name: str
    attribute_name: str = ""

    def describe(self) -> dict[str, str]:
        """In the API's names."""
        names = {
            "AttributeName": self.attribute_name,
            "ElementName": self.element_name,
            "Reason": self.reason,
        }
        return {name: value for name, value in names.items() if value}


@dataclass(frozen=True)
class Sanitized:
    """``data`` is what is left. ``warnings`` are the first 20."""

    data: str
    warnings: tuple[SanitizationWarning, ...] = ()
