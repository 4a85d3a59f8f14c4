"""What is measured on a picture: drawings whose numbers are known, plain loops, and what must not matter."""

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool2d

from labkit import attributes, data
from labkit.attributes import ATTRIBUTES, GARMENT, measure


def picture(grey):
    """Grey levels (28, 28) as one image in [-1, 1]."""
    return (torch.as_tensor(grey, dtype=torch.float32) / 127.5 - 1).view(1, 1, 28, 28)


def box(top, bottom, left, right, level=200.0, ground=0.0):
    """A filled rectangle; the borders belong to it."""
    grey = torch.full((28, 28), ground)
    grey[top : bottom + 1, left : right + 1] = level
    return grey


RECTANGLE = box(10, 19, 8, 13)  # 10 rows of 6 columns
CENTRED = box(10, 19, 11, 16)
FRAME = box(5, 14, 5, 14) - box(8, 11, 8, 11)  # 10 by 10 with a hole of 4 by 4
GREYISH = box(10, 19, 8, 13, ground=20.0)
U_SHAPE = torch.maximum(torch.maximum(box(5, 20, 8, 9), box(5, 20, 14, 15)), box(19, 20, 8, 15))
L_SHAPE = torch.maximum(box(5, 20, 8, 9), box(19, 20, 8, 15))
RAMP = box(10, 19, 8, 17) * 0 + (80 + 4 * torch.arange(28)) * (box(10, 19, 8, 17) > 0)
STRIPES = torch.where(torch.arange(28) % 2 == 0, 100.0, 200.0) * (box(10, 19, 8, 17) > 0)
WHITE, EMPTY = torch.full((28, 28), 255.0), torch.zeros(28, 28)
FAINT, ENOUGH = box(3, 5, 3, 5, level=GARMENT), box(3, 5, 3, 5, level=GARMENT + 1)

KNOWN = [
    ("brightness", RECTANGLE, 200 * 60 / 784),
    ("brightness", WHITE, 255),
    ("brightness", EMPTY, 0),
    ("contrast", RECTANGLE, 200 * math.sqrt(60 / 784 * (1 - 60 / 784))),
    ("contrast", WHITE, 0),
    ("background", RECTANGLE, 0),
    ("background", GREYISH, 20),
    ("background", box(10, 19, 8, 13, ground=0.0) + 60 * (torch.arange(28) == 0).float(), 60 * 28 / (784 - 12 * 8)),  # one lit column far off
    ("background", box(10, 19, 8, 13) + box(9, 9, 8, 13, level=50), 0),  # what lies at the border is outline
    ("background", WHITE, 0),
    # The band of outline is 12 x 8 less the inner 8 x 4; of its pixels 6 + 6 + 10 + 10 have a step to the right or
    # below, one of them both.
    ("outline_sharpness", RECTANGLE, 200 * (30 + math.sqrt(2)) / 64),
    ("outline_sharpness", GREYISH, 180 * (30 + math.sqrt(2)) / 64),
    ("outline_sharpness", WHITE, 0),
    ("completeness", RECTANGLE, 1),
    ("completeness", FRAME, 84 / 100),
    ("completeness", U_SHAPE, (2 * 2 * 16 + 2 * 4) / (16 * 8)),
    ("completeness", L_SHAPE, 1),
    ("texture", RECTANGLE, 0),
    ("texture", RAMP, 0),
    ("texture", STRIPES, 50),  # two of the four neighbours differ by 100
    ("texture", STRIPES.T, 50),
    ("symmetry", CENTRED, 1),
    ("symmetry", RECTANGLE, (2 * 30 - 60**2 / 784) / (60 - 60**2 / 784) if False else None),
    ("width", RECTANGLE, 6),
    ("width", U_SHAPE, 8),
    ("width", FAINT, 0),  # a garment is brighter than this
    ("width", ENOUGH, 3),
    ("height", RECTANGLE, 10),
    ("height", box(0, 27, 4, 5), 28),
    ("height", box(2, 3, 0, 5) + box(20, 24, 0, 5), 7),  # rows, not the way from top to bottom
    ("aspect", RECTANGLE, 10 / 6),
    ("aspect", RECTANGLE.T, 6 / 10),
    ("aspect", EMPTY, 1),
    ("area", RECTANGLE, 60 / 784),
    ("area", FRAME, 84 / 784),
    ("area", FAINT, 0),
]
KNOWN = [row for row in KNOWN if row[2] is not None]
