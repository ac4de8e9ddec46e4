"""The third door's machinery: verify a delivery, keep its bytes, answer; and read what was kept.

A delivery is never parsed here. What an event means is the road's affair, and an event only ever says "look again".
"""
