"""The notebooks, executed and published as one page.

Here: settings, execution, rendering, printing. The only room that knows papermill and nbconvert.
Not here: anything that a notebook computes itself.
"""
