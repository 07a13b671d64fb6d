"""The champion's service: requests in, probabilities out. Needs neither Polars nor a trainer."""
