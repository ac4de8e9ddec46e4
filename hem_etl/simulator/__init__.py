"""A strict, deterministic Enode to test and show against: homes with real physics, vendors' quirks, faults.

    homes ─▶ physics ─▶ blemishes ─▶ bodies ─▶ serving ─▶ transport (in process), server (a real socket)
                             └─────▶ truth: what an ideal warehouse must hold

Everything served is a pure function of fleet, faults and clock. Not here: anything that reads what is served.
"""

from hem_etl.simulator.faults import Faults
from hem_etl.simulator.fleet import Fleet, make_fleet
from hem_etl.simulator.homes import Home, Quirks
from hem_etl.simulator.ledger import Ledger
from hem_etl.simulator.server import serve
from hem_etl.simulator.serving import Simulator
from hem_etl.simulator.truth import TrueDay, TrueSeries

__all__ = ["Faults", "Fleet", "Home", "Ledger", "Quirks", "Simulator", "TrueDay", "TrueSeries", "make_fleet", "serve"]
