"""The types of bodies and answers, for annotations: `from varsel.client.models import EmailOrderRequest`."""

from varsel.client.generated.models import *  # noqa: F403 all of them are for users
