"""HTTP: the only FastAPI in the kernel. What a module's `routes.py` needs is re-exported here."""

from fastapi import Query

from nexuscore.kernel.http.answers import Problem, Reply, Schema
from nexuscore.kernel.http.exchange import Exchange
from nexuscore.kernel.http.forms import Upload
from nexuscore.kernel.http.pages import Nav, Pages, View, Went
from nexuscore.kernel.http.routes import Can, Public, Routes, SignedIn
from nexuscore.kernel.paging import Page, PageQuery

__all__ = [
    "Can",
    "Exchange",
    "Nav",
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
    "View",
    "Went",
]
