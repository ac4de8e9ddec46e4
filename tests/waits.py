"""How long a test waits for something that must happen before it says that it does not.

Never a guess at how long it takes: a busy machine only makes it later. Nothing waits this long that goes right.
"""

from typing import Final

GENEROUS_SECONDS: Final = 900.0
