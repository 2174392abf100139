"""Types of the installed openai package that our wire types don't have.

`python -m scripts.openai_types` compares the items, tools, events and fields of requests and responses in the
package with ours. `scripts/openai_types.toml` lists the known differences, each with its reason. The command
fails for a difference without an entry, and for an entry without a difference.
"""

import re
import sys
import tomllib
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Literal, Required, Union, get_args, get_origin

from msgspec import Struct
from openai.types import conversations, responses
from openai.types.conversations import conversation_create_params
from openai.types.responses import (
    input_token_count_params,
    response_compact_params,
    response_create_params,
    responses_client_event,
    responses_server_event,
)
from pydantic import BaseModel
from typing_extensions import get_type_hints, is_typeddict

from antiphon.decode.annotations import fields_of, options
from antiphon.wire import compaction, events, items, steering, tools
from antiphon.wire import conversations as our_conversations
from antiphon.wire import responses as ours

LIST = Path(__file__).with_suffix(".toml")
CONSTRAINTS = LIST.parent.parent / "constraints.txt"
_EVENTS = events.Event | steering.SteerAccepted | steering.SteerPending | steering.SteerFailed
ROOTS: Sequence[tuple[str, object, object]] = (
    ("request", response_create_params.ResponseCreateParamsBase, ours.CreateResponse),
    ("frame", responses_client_event.ResponseCreate, ours.ResponseCreateEvent),
    ("compaction", response_compact_params.ResponseCompactParams, compaction.CompactResponse),
    ("count", input_token_count_params.InputTokenCountParams, ours.CountInputTokens),
    (
        "conversation",
        conversation_create_params.ConversationCreateParams,
        our_conversations.CreateConversation,
    ),
    ("input", responses.ResponseInputItem, items.InputItem),
    ("item", responses.ResponseItem, items.Item),
    ("conversation item", conversations.ConversationItem, items.Item),
    ("tool", responses.Tool, tools.Tool),
    ("response", responses.Response, ours.Response),
    ("compacted", responses.CompactedResponse, compaction.CompactedResponse),
    ("event", responses.ResponseStreamEvent, _EVENTS),
    ("server frame", responses_server_event.ResponsesServerEvent, _EVENTS),
)
"""Types of the package, and ours for the same JSON; the names are for unions."""


def differences(roots: Iterable[tuple[str, object, object]] = ROOTS) -> list[str]:
    """Return the fields, types and values of the package's types that ours don't have.

    Each has the form `module.Class.field`, with `:tag` for a member of a union, `=value` for a literal and
    `[]` for an array.
    """
    seen: set[tuple[object, object]] = set()
    found: set[str] = set()
    for name, theirs, our in roots:
        found |= set(_unknown(theirs, options(our), name, seen))
    return sorted(found)


def _unknown(
    theirs: object, our: list[object], place: str, seen: set[tuple[object, object]]
) -> Iterator[str]:
    """Yield what the options of our annotation lack of theirs."""
    if any(_is_free(option) for option in our):
        return
    for option in _options(theirs):
        if _is_object(option):
            yield from _unknown_object(option, our, place, seen)
        elif get_origin(option) is Literal and str not in our:
            known = {value for each in our if get_origin(each) is Literal for value in get_args(each)}
            yield from (f"{place}={value}" for value in get_args(option) if value not in known)
        elif _is_array(option):
            inner = [entry for each in our if _is_array(each) for entry in options(get_args(each)[0])]
            yield from _unknown(get_args(option)[0], inner, place, seen) if inner else (f"{place}[]",)


def _unknown_object(
    theirs: object, our: list[object], place: str, seen: set[tuple[object, object]]
) -> Iterator[str]:
    """Yield what our objects lack of one of the package's."""
    fields = _fields(theirs)
    objects = [each for each in our if isinstance(each, type) and issubclass(each, Struct)]
    tagged = {each.__struct_config__.tag: each for each in objects}
    tags = [tag for option in _options(fields.get("type")) for tag in get_args(option)]
    matching = [tagged[tag] for tag in (*tags, None) if tag in tagged]
    if not matching:
        yield f"{place}:{tags[0] if tags else 'object'}"
    for struct in matching[:1]:
        if (theirs, struct) in seen:
            continue
        seen.add((theirs, struct))
        known = fields_of(struct)
        for name, annotation in fields.items():
            inner = f"{_name(theirs)}.{name}"
            if name == struct.__struct_config__.tag_field:
                continue
            if name not in known:
                yield inner
            else:
                yield from _unknown(annotation, options(known[name]), inner, seen)


@cache
def _fields(theirs: object) -> Mapping[str, object]:
    """Return the annotations of the fields of an object in the package, by their names on the wire."""
    if isinstance(theirs, type) and issubclass(theirs, BaseModel):
        return {field.alias or name: field.annotation for name, field in theirs.model_fields.items()}
    hints: dict[str, object] = get_type_hints(theirs, include_extras=True)
    return hints


def _options(annotation: object) -> list[object]:
    """Return the members of an annotation of the package, without what surrounds them."""
    found: list[object] = []
    for option in options(annotation):
        if get_origin(option) is Required:
            found += _options(get_args(option)[0])
        elif get_origin(option) in (Union, types.UnionType):
            found += [each for member in get_args(option) for each in _options(member)]
        else:
            found.append(option)
    return found


def _is_object(option: object) -> bool:
    return is_typeddict(option) or (isinstance(option, type) and issubclass(option, BaseModel))


def _is_array(option: object) -> bool:
    origin = get_origin(option)
    return isinstance(origin, type) and issubclass(origin, Iterable) and len(get_args(option)) == 1


def _is_free(option: object) -> bool:
    """Return whether our annotation permits any JSON, or any object."""
    return option is object or "Any" in str(option)


def _name(theirs: object) -> str:
    """Return the name of a class in the package, which is the same for both forms of a parameter."""
    module = str(getattr(theirs, "__module__", "")).rpartition(".")[2]
    return f"{re.sub('(_params?)+$', '', module)}.{getattr(theirs, '__name__', '')}"


def problems(found: Iterable[str], entries: Mapping[str, str]) -> Iterator[str]:
    """Yield differences without an entry, and entries without a difference or a reason."""
    found = list(found)
    for each in found:
        if not any(fnmatchcase(each, entry) for entry in entries):
            yield f"{each} is new in the openai package; add it to the wire types, or here with a reason"
    for entry, reason in entries.items():
        if not any(fnmatchcase(each, entry) for each in found):
            yield f"{entry} is not needed any more"
        if not reason.strip():
            yield f"{entry} has no reason"


def main() -> int:
    """Print all problems and return the exit code."""
    pinned = re.search(r"^openai==(.+)$", CONSTRAINTS.read_text(encoding="utf-8"), re.MULTILINE)
    if pinned is None or pinned[1] != version("openai"):
        print(f"openai {version('openai')} is installed, but constraints.txt has another version")
        return 1
    entries = tomllib.loads(LIST.read_text(encoding="utf-8"))["known"]
    failed = 0
    for problem in problems(differences(), entries):
        print(f"scripts/{LIST.name}: {problem}")
        failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
