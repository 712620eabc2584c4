"""The advice on names, tags and URLs: which sentence of the page each kind of thing is under."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from testbed.advice.personal import mask, recognise
from testbed.advice.urls import has_credentials
from testbed.documented.names import PII_SENTENCE, TAGS_SENTENCE, URL_SENTENCE


@dataclass(frozen=True)
class Name:
    """A name of a broker or of a user.

    ``what`` says which name of the resource it is. Neither it nor ``resource`` repeats the value.
    """

    resource: str
    what: str
    value: str = field(repr=False)


@dataclass(frozen=True)
class Text:
    """A tag's key or value, a description, or any other name. ``label`` is the key of a tag."""

    resource: str
    what: str
    value: str = field(repr=False)
    label: str = field(default="", repr=False)


@dataclass(frozen=True)
class Url:
    """The address of another server."""

    resource: str
    what: str
    value: str = field(repr=False)


Item = Name | Text | Url


@dataclass(frozen=True)
class Advice:
    """What should not be where it is: ``resource`` and ``what`` say where, without repeating it.

    ``rule`` is the sentence of the data-protection page.
    """

    resource: str
    what: str
    looks_like: tuple[str, ...]
    rule: str

    @property
    def sentence(self) -> str:
        """The advice in one sentence, without the rule."""
        return f"The {self.what} of {self.resource} has {' and '.join(self.looks_like)}."


def advise(items: Iterable[Item]) -> Iterator[Advice]:
    """Yield the advice on ``items``, in their order."""
    for item in items:
        if kinds := _kinds(item):
            yield Advice(item.resource, item.what, kinds, _RULES[type(item)])


def tags(resource: str, of: Iterable[tuple[str, str]]) -> Iterator[Text]:
    """Yield the keys and values of a resource's tags."""
    for key, value in of:
        yield Text(resource, f"tag key {mask(key)}", key)
        yield Text(resource, f"tag {mask(key)}", value, key)


_RULES = {Name: PII_SENTENCE, Text: TAGS_SENTENCE, Url: URL_SENTENCE}


def _kinds(item: Item) -> tuple[str, ...]:
    if isinstance(item, Url):
        return ("credentials",) if has_credentials(item.value) else ()
    return recognise(item.value, item.label if isinstance(item, Text) else "")
