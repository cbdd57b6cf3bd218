"""What happens to every request around its handler: ids, limits, media types, one log line."""
