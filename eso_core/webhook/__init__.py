"""The webhook server: admission and conversion, called by the API server.

* `WebhookServer` serves; `Manager.webhooks` makes one and starts it before the caches, since a conversion webhook must answer before
  the first list of its kind.
* `AdmissionRequest` and `AdmissionResponse` are one review; `Defaulter` and `Validator` are the typed forms.
* `Converter` turns versions of a kind into each other through a hub.
* `CertWatcher` follows the certificate's files; `CABundles` keeps the certificate authority in webhook configurations and
  definitions in step with a file.
"""

from eso_core.webhook.admission import AdmissionRequest, AdmissionResponse, Defaulter, FieldError, Validator, invalid
from eso_core.webhook.cabundles import CABundles
from eso_core.webhook.certificates import CertWatcher
from eso_core.webhook.conversion import ConversionError, Converter
from eso_core.webhook.server import WebhookServer

__all__ = [
    "AdmissionRequest",
    "AdmissionResponse",
    "CABundles",
    "CertWatcher",
    "ConversionError",
    "Converter",
    "Defaulter",
    "FieldError",
    "Validator",
    "WebhookServer",
    "invalid",
]
