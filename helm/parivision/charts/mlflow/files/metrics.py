"""Serves the counts that the server's processes leave in a folder, for Prometheus.

MLflow's own /metrics asks for the administrator's password.
"""

import signal

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector

registry = CollectorRegistry()
MultiProcessCollector(registry)
start_http_server(5001, registry=registry)
signal.sigwait({signal.SIGTERM, signal.SIGINT})
