"""A UbiOps-compatible bucket server for demos and tests, in one process and on loopback only.

It is to UbiOps what Azurite is to Azure: the official SDK and command line tool work against it
unchanged. Nothing of the product but the command line's demo depends on it.
"""

from .behaviour import Behaviour
from .calls import Call, CallLog, Operation
from .elsewhere import OtherStorage, Standing
from .faults import ANY, Fault, FaultKind, Faults
from .records import Provider, Role
from .server import DEFAULT_TOKEN, BucketServer, serve
from .signing import Grant

__all__ = [
    "ANY",
    "DEFAULT_TOKEN",
    "Behaviour",
    "BucketServer",
    "Call",
    "CallLog",
    "Fault",
    "FaultKind",
    "Faults",
    "Grant",
    "Operation",
    "OtherStorage",
    "Provider",
    "Role",
    "Standing",
    "serve",
]
