"""NexusCore: the application foundation beneath a SaaS product."""

__version__ = "0.1.0"
