"""What everything else stands on, and what knows nothing of GANs.

Here: the one error class, files, paths, the machine, random streams, kept measurements.
Not here: anything that has heard of networks, garments or figures.
"""
