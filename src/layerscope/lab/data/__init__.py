"""Data: items of characters, as batches of (context, next character)."""

from layerscope.lab.data.character_data import CharacterData
from layerscope.lab.data.names import NamesData
from layerscope.lab.data.notebook import NotebookData
from layerscope.lab.data.text_file import TextFileData
from layerscope.lab.data.vocabulary import Vocabulary

__all__ = ["CharacterData", "NamesData", "NotebookData", "TextFileData", "Vocabulary"]
