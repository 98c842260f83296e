"""Values kept for a while: in the memory of each process, and in Redis where several share one.

@cached("prices:{country}", ttl=3600, tags=("prices",))
async def prices(ctx: Ctx, country: str) -> dict[str, int]: ...

prices.forget(ctx, "SG")            # after the commit, in every process; nothing on rollback
"""

from nexuscore.kernel.cache.cached import Cached, cached, forget, forget_tag
from nexuscore.kernel.cache.store import Cache, CacheStats, Ttl

__all__ = ["Cache", "CacheStats", "Cached", "Ttl", "cached", "forget", "forget_tag"]
