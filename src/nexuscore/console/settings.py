"""What the console may be told by its settings: whose it is."""

from pathlib import Path

from pydantic import Field

from nexuscore.kernel.settings import Settings

_COLOUR = r"^#[0-9a-fA-F]{6}$"


class ConsoleSettings(Settings, prefix="console"):
    """The look: four variables and a logo make it your own."""

    brand: str = Field("#1e3a8a", pattern=_COLOUR, description="The colour of buttons and links.")
    accent: str = Field("#eb582d", pattern=_COLOUR, description="The colour of what stands out: the mark, charts.")
    radius: int = Field(8, ge=0, le=24, description="How round corners are, in pixels.")
    font: str = Field(
        "",
        pattern=r'^[\w ,"-]*$',
        description="Fonts to try before the system's own, as CSS writes them. None is fetched from elsewhere.",
    )
    logo: Path | None = Field(None, description="A picture (.svg or .png) in place of the mark, 32 pixels high.")
    drafts: int = Field(
        1000, ge=1, le=100_000, description="How many forms' input is kept so at most, of up to 64 kB; the oldest go."
    )
    draft_hours: int = Field(
        12, ge=1, le=168, description="How long a form's input is kept for somebody whose session ended meanwhile."
    )
