"""Enode's API as it is on the wire: the models it sends and the client that asks."""
