"""Data: items of characters, as batches of (context, next character)."""

from layerscope.lab.data.character_data import CharacterData
from layerscope.lab.data.datasets import NamesData, NotebookData, TextFileData

__all__ = ["CharacterData", "NamesData", "NotebookData", "TextFileData"]
