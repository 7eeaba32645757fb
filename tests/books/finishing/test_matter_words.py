"""The titles by which front and back matter is known, each language's, and titles that only sound alike."""

from __future__ import annotations

import pytest

from quire.books.finishing.matter import AROUND, MACHINERY, role_of_title
from quire.books.finishing.matter_words import TITLES


@pytest.mark.parametrize(
    ("title", "role"),
    [
        ("Copyright", "copyright page"),
        ("MENTIONS LÉGALES", "copyright page"),
        ("Impressum", "copyright page"),
        ("Achevé d’imprimer", "imprint"),
        ("A Note on the Type", "colophon"),
        ("Table des matières", "contents"),
        ("Contents.", "contents"),
        ("Inhaltsverzeichnis", "contents"),
        ("LIST OF ILLUSTRATIONS", "list of illustrations"),
        ("Table des gravures", "list of illustrations"),
        ("General Index", "index"),
        ("About the Author", "about the author"),
        ("À propos de l’auteur", "about the author"),
        ("Also by A. Writer", "other books"),
        ("Du même auteur", "other books"),
        ("Praise for The Ferry", "praise"),
        ("An Excerpt from Salt", "advertisement"),
        ("Join my mailing list", "newsletter"),
        ("Transcriber’s Notes", "transcriber's note"),
        ("Errata", "errata"),
        ("Dedication", "dedication"),
        ("DÉDICACE", "dedication"),
        ("Épigraphe", "epigraph"),
        ("Preface to the Second Edition", "preface"),
        ("Avant-propos", "preface"),
        ("Author’s Foreword", "foreword"),
        ("Introduction by the Editor", "introduction"),
        ("Note de l’éditeur", "note"),
        ("To the Reader", "note"),
        ("Au lecteur", "note"),
        ("Postface", "afterword"),
        ("Acknowledgments", "acknowledgements"),
        ("Remerciements", "acknowledgements"),
        ("Appendix B: The Tides", "appendix"),
        ("Glossary of Sea Terms", "glossary"),
        ("Works Cited", "bibliography"),
        ("Chronological Table of the Author's Life", "chronology"),
    ],
)
def test_titles_say_what_stands_under_them(title: str, role: str) -> None:
    assert role_of_title(title) == role


@pytest.mark.parametrize(
    "title",
    [
        "Chapter I",
        "The Prefect",
        "A Note",
        "The Cover of Night",
        "Notes from a Harbour",
        "The Author Goes to Sea",
        "An Introduction",
        "In the Same Boat",
        "The Dedicated Man",
        "L’Éditeur et la mer",
        "Table d’hôte",
        "Index of a Life",
        "",
    ],
)
def test_titles_of_stories_are_none_of_them_or_stay_amid_the_story(title: str) -> None:
    assert role_of_title(title) in ("", "introduction", "index", "note")


def test_only_known_roles_have_words() -> None:
    assert set(TITLES) <= MACHINERY | AROUND
