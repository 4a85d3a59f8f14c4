"""To be imported before torch: that torch and numpy are imported whole, or not yet.

An import of theirs that Ctrl-C breaks off, *Stop* in a notebook, cannot be made again in the same process: what they
have registered in C is there already. So every room that begins with torch begins with this; Ctrl-C is heard after it.
"""

from .machine import import_whole

import_whole("numpy", "torch")
