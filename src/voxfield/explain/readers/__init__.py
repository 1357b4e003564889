"""Readers: each turns one way of writing a network down into a `Graph`."""
