"""Kubeflow Pipelines: compiled pipelines as data, submission, schedules, and local runs.

The only package that imports kfp.
"""
