"""What a reader sees in words, by language.

Here: text files, one folder for each language and one file for each part of the house; how a text is found and filled.
Not here: numbers, which are given; what is for those who read code (comments, docstrings, the one line of a fault).
"""

from .lookup import EDITIONS, chapter, checked, edition, listed, say, table, using

__all__ = ["EDITIONS", "chapter", "checked", "edition", "listed", "say", "table", "using"]
