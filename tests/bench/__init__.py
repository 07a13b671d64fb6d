"""What the service and the stages cost, beside what one would take instead: `make bench`."""
