"""A small invented hospital network, written in seconds: for the demonstration, notebooks and tests."""

from catalog.synthetic.network import Network, make_network
from catalog.synthetic.write import SeriesTruth, SiteTruth

__all__ = ["Network", "SeriesTruth", "SiteTruth", "make_network"]
