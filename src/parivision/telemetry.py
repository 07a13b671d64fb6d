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

LOG_QUEUED: Final = "parivision_prediction_log_queued_records"
"""Gauge of the records in memory that are neither stored nor on disk, by `kind`.

The kinds are predictions and outcomes, as with all metrics of the log.
"""
LOG_WRITTEN: Final = "parivision_prediction_log_written_total"
"""Counter of the records that the store took."""
LOG_SPILLED: Final = "parivision_prediction_log_spilled_total"
"""Counter of the records that went to disk first, because the store was away."""
LOG_SPILL_BYTES: Final = "parivision_prediction_log_spill_bytes"
"""Gauge of the bytes on disk that wait for the store."""
LOG_DROPPED: Final = "parivision_prediction_log_dropped_total"
"""Counter of lost records by `reason`: queue_full, stopped, unreadable."""
LOG_ERRORS: Final = "parivision_prediction_log_errors_total"
"""Counter of the times that store or disk refused."""
LOG_LAG: Final = "parivision_prediction_log_lag_seconds"
"""Gauge: the age of the oldest record that is not in the store yet."""

MODEL_VERSION: Final = "model_version"
ROUTE: Final = "route"
STATUS: Final = "status"
ZONE: Final = "zone"
KIND: Final = "kind"
REASON: Final = "reason"

LAKE_SHOTS: Final = "parivision_lake_shots"
"""Gauge of the rows of each `layer`: bronze, silver, quarantine."""
LAKE_LAST_INGEST: Final = "parivision_lake_last_ingest_timestamp_seconds"
"""Gauge: when a source was last read, whether or not it had anything new."""
CHAMPION_INFO: Final = "parivision_champion_info"
"""Gauge, always 1: `version` and `family` of the model that holds the alias `champion`."""
CHAMPION_PROMOTED: Final = "parivision_champion_promoted_timestamp_seconds"
"""Gauge: when that version was registered."""
CHAMPION_LOG_LOSS: Final = "parivision_champion_log_loss"
"""Gauge: its log loss in the evaluation that it was promoted by."""
DRIFT_DETECTED: Final = "parivision_drift_detected"
"""Gauge: 1 when the newest drift report found data or labels moved, else 0."""
DRIFT_SEVERITY: Final = "parivision_drift_severity"
"""Gauge by `column`: the largest effect in thresholds; above 1 the column drifted."""
DRIFT_TIMESTAMP: Final = "parivision_drift_timestamp_seconds"
"""Gauge: when the newest drift report was made."""
LIVE_LOG_LOSS: Final = "parivision_live_log_loss"
"""Gauge: the champion's log loss on the current shots, as they ended."""
PROMISED_LOG_LOSS: Final = "parivision_promised_log_loss"
"""Gauge: what its own probabilities, were they right, would give for those shots."""
PIPELINE_RUNS: Final = "parivision_pipeline_runs"
"""Gauge of the latest runs by `pipeline` and `state`."""
PIPELINE_LAST_RUN: Final = "parivision_pipeline_last_run_timestamp_seconds"
"""Gauge by `pipeline` and `state`: when the newest of these runs ended."""
SOURCE_UP: Final = "parivision_exporter_source_up"
"""Gauge by `source` (mlflow, lake, kfp): whether its numbers are there; without it they are not."""

ROLLOUTS: Final = "parivision_rollouts_total"
"""Counter of rollouts by `outcome`: promoted, confirmed, served, rolled_back, taken_back,
superseded."""
ROLLOUT_INFO: Final = "parivision_rollout_info"
"""Gauge, always 1: `version`, `former` and `stage` of the newest rollout."""
ROLLOUT_STARTED: Final = "parivision_rollout_started_timestamp_seconds"
"""Gauge: when the rollout that is judged or watched began."""
ROLLOUT_WEIGHT: Final = "parivision_rollout_weight"
"""Gauge: the share of the traffic, from 0 to 1, that the canary gets."""
ROLLOUT_CHECK: Final = "parivision_rollout_check"
"""Gauge by `check`: 1 pass, 0 not yet, -1 fail."""
ROLLOUT_PREDICTIONS: Final = "parivision_rollout_predictions"
"""Gauge of the logged predictions that were taken in."""
ROLLOUT_LABELLED: Final = "parivision_rollout_labelled_shots"
"""Gauge of the labelled shots that were taken in."""
ROLLOUT_DIFFERENCE: Final = "parivision_rollout_log_loss_difference"
"""Gauge: log loss of the challenger less that of the champion, on the same labelled shots."""
ROLLOUT_LOW: Final = "parivision_rollout_log_loss_difference_low"
"""Gauge: its lower bound, valid at any time."""
ROLLOUT_HIGH: Final = "parivision_rollout_log_loss_difference_high"
"""Gauge: its upper bound."""
ROLLOUT_ROLLED_BACK: Final = "parivision_rollout_rolled_back_timestamp_seconds"
"""Gauge by `version`: when the last rollout that failed was rolled back."""
VERDICT_LOOKED: Final = "parivision_verdict_looked_timestamp_seconds"
"""Gauge: when the verdict service last looked at the rollout."""
VERDICT_TROUBLES: Final = "parivision_verdict_sources_away"
"""Gauge of the sources of evidence that were away then."""
ESTIMATED_LOG_LOSS: Final = "parivision_estimated_log_loss"
"""Gauge: what the outcomes of the newest predictions are expected to show, before they come."""
ESTIMATED_LOG_LOSS_LOW: Final = "parivision_estimated_log_loss_low"
"""Gauge: lower end of the 95 % interval of that."""
ESTIMATED_LOG_LOSS_HIGH: Final = "parivision_estimated_log_loss_high"
"""Gauge: its upper end."""
ESTIMATED_ROC_AUC: Final = "parivision_estimated_roc_auc"
"""Gauge: the same of the ROC-AUC."""
ESTIMATED_ROC_AUC_LOW: Final = "parivision_estimated_roc_auc_low"
ESTIMATED_ROC_AUC_HIGH: Final = "parivision_estimated_roc_auc_high"
ESTIMATED_SHOTS: Final = "parivision_estimated_shots"
"""Gauge of the predictions that the estimates are of."""
OBSERVED_LOG_LOSS: Final = "parivision_observed_log_loss"
"""Gauge: of the newest block of predictions whose outcomes came, as they came."""
OBSERVED_ROC_AUC: Final = "parivision_observed_roc_auc"
"""Gauge: the same of the ROC-AUC."""
OBSERVED_BEYOND: Final = "parivision_observed_beyond"
"""Gauge by `score` (log_loss, roc_auc): how far the observed value is above its estimate, in half
widths of the interval; beyond 1 or -1 it is outside."""
SCORE: Final = "score"

RETRAINING_NOTICES: Final = "parivision_retraining_notices_total"
"""Counter of Alertmanager's messages, by `outcome`: what became of them."""
RETRAINING_FAILURES: Final = "parivision_retraining_failures"
"""Gauge of the training runs in a row that failed, when what runs them was last asked."""
RETRAINING_STARTED: Final = "parivision_retraining_started_timestamp_seconds"
"""Gauge: when an alert last started a run; 0 for not since the service began."""
OUTCOME: Final = "outcome"
CHECK: Final = "check"

STATS_RECORDS: Final = "parivision_stats_records_given_total"
"""Counter of the records that the stats API gave, by `endpoint`."""
STATS_POSITION: Final = "parivision_stats_position"
"""Gauge of the records that /getdata has given since the last reset."""
STATS_SIZE: Final = "parivision_stats_archive_records"
"""Gauge of the records in the archive that the stats API replays."""

OTHER_ROUTE: Final = "other"
"""Label of all paths that do not exist: a label must not hold what a client makes up."""

# Close together below 25 ms, where the answers are: a p99 is not told finer than its bucket.
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
