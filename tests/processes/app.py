"""The app that is stopped and replaced: the notes, and an answer that takes its time and says who gave it."""

import asyncio
import os
from typing import Annotated

from examples.notes.module import module as notes
from nexuscore.kernel.app import compose
from nexuscore.kernel.http import Exchange, Public, Routes, Schema
from nexuscore.kernel.module import Module

routes = Routes("/slow", tag="Slow", about="An answer that takes its time.")
Anybody = Annotated[Exchange, Public("It is there to be waited for.")]


class Answered(Schema):
    """Who answered."""

    pid: int


@routes.get("", answer=Answered)
async def answer_slowly(exchange: Anybody, seconds: float = 0) -> Answered:
    """Answer after a while."""
    await asyncio.sleep(seconds)
    return Answered(pid=os.getpid())


app = compose([notes, Module(name="slow", package=None, routes=(routes,))])
