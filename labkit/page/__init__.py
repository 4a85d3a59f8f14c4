"""The generator in the page: what lets report.html compute the pictures itself, from a file, without a network.

Here: the export of trained networks, our JavaScript, and what is vendored for it. Not here: the report's own page
(`report`) and the editor in a notebook (`editor`).
"""
