"""The service around the verdict: it watches a rollout, answers Flagger, and keeps the alias true.

`docs/rollout.md` says what it promises. What is decided is pure (`ruling`, `record`, `counters`,
`evidence`); `watcher` brings it together with the cluster, the logs, the registry and Prometheus.
"""
