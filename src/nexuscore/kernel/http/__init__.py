"""HTTP: the only FastAPI in the kernel. What a module's `routes.py` needs is re-exported here."""

from fastapi import Query

from nexuscore.kernel.http.answers import Problem, Reply, Schema
from nexuscore.kernel.http.exchange import Exchange
from nexuscore.kernel.http.forms import Upload, amount_of
from nexuscore.kernel.http.pages import Nav, Pages, View, Went
from nexuscore.kernel.http.routes import Can, Older, Public, Routes, SignedIn
from nexuscore.kernel.http.versions import Version
from nexuscore.kernel.paging import Page, PageQuery

__all__ = [
    "Can",
    "Exchange",
    "Nav",
    "Older",
    "Page",
    "PageQuery",
    "Pages",
    "Problem",
    "Public",
    "Query",
    "Reply",
    "Routes",
    "Schema",
    "SignedIn",
    "Upload",
    "Version",
    "View",
    "Went",
    "amount_of",
]
