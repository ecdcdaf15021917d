"""A client of Varsel: orders, shipments, events and subscriptions over HTTP, and a verifier of what Varsel pushes.

    from varsel.client import Client

    with Client("http://127.0.0.1:5090", token) as varsel:
        receipt = varsel.orders.create_email({"subject": "Hei", "body": "Hei!", "recipients": [...]})
        shipment = varsel.orders.wait(receipt["orderId"])

`AsyncClient` is the same with `await`. Bodies and answers are dictionaries with the API's own names, whose types are in
`varsel.client.models`; nothing there is needed when a program runs.
"""

from varsel.client.client import AsyncClient, Client
from varsel.client.errors import (
    ApiError,
    Conflict,
    Forbidden,
    Invalid,
    InvalidSignature,
    NotFound,
    Overrun,
    StillOpen,
    Unauthenticated,
    Unreachable,
    VarselError,
)
from varsel.client.generated.version import VERSION
from varsel.client.webhooks import Webhook

__version__ = VERSION
__all__ = [
    "ApiError",
    "AsyncClient",
    "Client",
    "Conflict",
    "Forbidden",
    "Invalid",
    "InvalidSignature",
    "NotFound",
    "Overrun",
    "StillOpen",
    "Unauthenticated",
    "Unreachable",
    "VarselError",
    "Webhook",
    "__version__",
]
