"""Names of the metrics that are exported, and their labels and buckets.

Charts, dashboards and PromQL take the names from here. Every metric of the service carries
`model_version`, so that the answers of two versions behind one address can be told apart.
"""

from typing import Final

REQUESTS: Final = "parivision_requests_total"
"""Counter of requests by `route` and `status`."""
REQUEST_SECONDS: Final = "parivision_request_duration_seconds"
"""Histogram of the time to answer, by `route`."""
PREDICTIONS: Final = "parivision_predictions_total"
"""Counter of predicted shots by `zone`."""
P_MADE: Final = "parivision_predicted_probability"
"""Histogram of the predicted probabilities; its sum over its count is their mean."""
MODEL_INFO: Final = "parivision_model_info"
"""Gauge, always 1: `name`, `family` and `feature_set` of the model that answers."""

MODEL_VERSION: Final = "model_version"
ROUTE: Final = "route"
STATUS: Final = "status"
ZONE: Final = "zone"

OTHER_ROUTE: Final = "other"
"""Label of all paths that do not exist: a label must not hold what a client makes up."""

REQUEST_BUCKETS_S: Final = (
    0.00025,
    0.0005,
    0.00075,
    0.001,
    0.0015,
    0.002,
    0.003,
    0.005,
    0.0075,
    0.01,
    0.015,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
)
P_MADE_BUCKETS: Final = tuple(step / 20 for step in range(1, 21))
