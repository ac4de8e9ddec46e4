"""Preparing: landed bodies of days → all that the tables will hold of them, here or in worker processes.

prepare   bodies → frames; pure
shards    what is prepared at once: which looks, with what, and the frames on disk that come of it
worker    a worker process: shards in, frames on disk
crew      the worker processes of one load, and what happens when one dies

What belongs here knows landing and no table. Which shards are worth it, and whether what came of one may be used, is
`pipeline`'s business. Importing this room imports neither DuckDB nor the client: a worker is ready soon, and small.
"""
