"""The bench for a generator that somebody else wrote: it is drawn from in a process of its own, measured, and judged.

Here: what is brought and how it is run, what is found out and measured about it, the page and the table.
Not here: measures of pictures or of edits, which are those of the report, and how figures are drawn.
"""
