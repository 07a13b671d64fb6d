"""Grafana's dashboards of PariVision, as code: `make dashboards` writes their JSON into the chart."""
