"""What a pipeline component or a command does, one function a stage."""
