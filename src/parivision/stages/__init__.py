"""What a pipeline component or a command does, one function a stage, in a module of its name.

A component is a process of its own and imports only its stage's module: MLflow alone takes seconds.
"""
