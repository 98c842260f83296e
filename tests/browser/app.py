"""What the browser looks at: the notes, and doors that everybody may look at, with the development token."""

from typing import Annotated, Literal

from examples.notes.module import module as notes
from nexuscore.kernel.app import compose
from nexuscore.kernel.ctx import Ctx
from nexuscore.kernel.http import Public, Routes, Schema
from nexuscore.kernel.module import Module

routes = Routes("/doors", tag="Doors")
Anybody = Annotated[Ctx, Public("Doors are on the `street`.")]


class Door(Schema):
    """A door, perhaps with another door behind it."""

    colour: Literal["red", "green"]
    behind: "Door | None"


@routes.get("", answer=list[Door])
async def list_doors(ctx: Anybody, colour: Literal["red", "green"] = "green") -> list[Door]:
    """The doors of one colour."""
    return [Door(colour=colour, behind=None)]


app = compose([notes, Module(name="doors", package=__package__, routes=(routes,))])
