"""What is drawn: tensors in, a matplotlib figure out.

Here: the catalogue of the report's figures, one file for each kind of drawing. The only room that knows matplotlib.
Not here: measuring; a figure is given its numbers.
"""

import pkgutil
from importlib import import_module

for _module in pkgutil.iter_modules(__path__):  # every file of the folder: so the catalogue is complete
    import_module(f"{__name__}.{_module.name}")
