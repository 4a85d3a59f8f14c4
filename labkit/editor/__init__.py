"""The live latent editor: sliders move z, eight garments follow.

Here: what can be done to the vectors, and the widgets that do it. The only room that knows ipywidgets.
Not here: operations on z (`latent`) and drawing (`figures`).
"""
