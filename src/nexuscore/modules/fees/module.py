"""The manifest: all that the platform's fee adds to an app."""

from nexuscore.kernel.module import Module, Slot, Warming
from nexuscore.modules.fees import events, pages, permissions, service
from nexuscore.modules.fees.routes import routes
from nexuscore.modules.fees.tables import FeeChange, PlatformFee
from nexuscore.modules.fees.variants import FeeVariant

module = Module(
    name="fees",
    package=__package__,
    needs=("identity",),
    tables=(PlatformFee, FeeChange),
    routes=(routes,),
    pages=(pages.pages,),
    events=(events.PlatformFeeChanged,),
    permissions=(permissions.READ, permissions.CHANGE),
    slots=(Slot(FeeVariant, single=True),),
    contributes=(Warming("fees", service.warm),),
)
