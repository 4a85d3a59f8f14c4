"""The lab in a browser: in report.html it computes the pictures itself, from a file, without a network.

Here: our JavaScript and what is vendored for it, what it is told, recipes, the export of trained networks. Not here:
the report's own page (`report`) and the kernel that answers the lab in a notebook (`editor`).
"""
