"""How an operation's method is called: by its HTTP method and the words of its path.

1. The path's words behind `/api/v1`, without parameters, `future` and the name of the part (`orders`, `shipment`).
2. GET is `list_…` if the answer has pages or nothing is left of the path, and otherwise `get_…`. DELETE is `delete_…`.
3. Behind a parameter, the last word is what is done, as in `PUT /orders/{id}/cancel`; unless the path can also be read.
4. Otherwise POST is `create_…` and PUT `put_…`.

What would mislead has a name below.
"""

from __future__ import annotations

import re

NAMES = {
    "post_future_orders": "create_chain",  # `future` is the generation, and tells nothing
    "post_subscriptions_id_secret": "replace_secret",
    "post_subscriptions_id_deliveries_delivery_retry": "retry_delivery",
    "post_events": "publish",
    "post_app": "publish_app_event",
    "get_app_org_app": "list_app_events",
    "get_app_party": "list_party_events",
}
BASES = {"Orders": ("waiting", "Waiting")}  # parts that inherit what is written by hand: its module and class
VERBS = {"GET": "get", "DELETE": "delete", "POST": "create", "PUT": "put", "PATCH": "update"}
_API = "/api/v1/"
_NO_WORD = re.compile(r"[^a-z0-9]+")


def method_name(verb: str, path: str, part: str, *, paged: bool, readable: bool) -> str:
    """The method of an operation; `paged`: its answer has pages; `readable`: its path has a GET."""
    segments = path.rpartition(_API)[2].split("/")
    own = {snake(part), snake(part).removesuffix("s"), "future"}
    words = [_NO_WORD.sub("_", each.lower()) for each in segments if not each.startswith("{")]
    words = [word for word in words if word not in own]
    ends_in_parameter = segments[-1].startswith("{")
    if verb == "GET":
        return "_".join(["list" if paged or not (words or ends_in_parameter) else "get", *words])
    if verb in {"POST", "PUT"} and "{" in path and words and not ends_in_parameter and not readable:
        return "_".join([words[-1], *words[:-1]])
    return "_".join([VERBS[verb], *words])


def part_name(tag: str) -> str:
    """The class of a part: `Recurring orders` is RecurringOrders."""
    return "".join(word[0].upper() + word[1:] for word in tag.split())


def model_name(name: str) -> str:
    """`Recipient-Input` is RecipientInput, `api__order_answers__Recipient` OrderAnswersRecipient."""
    *_, module, last = ["", *name.split("__")]
    return "".join(word.capitalize() for word in module.split("_")) + last.replace("-", "")


def snake(name: str) -> str:
    """`pageSize` is page_size, `Idempotency-Key` idempotency_key."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("-", "_").lower()


def camel(name: str) -> str:
    """`create_email` is createEmail, `Idempotency-Key` idempotencyKey."""
    first, *others = snake(name).split("_")
    return first + "".join(word.capitalize() for word in others)
