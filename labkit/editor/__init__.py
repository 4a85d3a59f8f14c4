"""The live latent editor: sliders move z, eight garments follow.

Here: what can be done to the vectors, and the widget that shows it. The only room that knows anywidget.
Not here: operations on z (`latent`) and drawing (`figures`).
"""
