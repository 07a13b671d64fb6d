"""What the lake, MLflow and Kubeflow Pipelines say, as metrics for Prometheus."""
