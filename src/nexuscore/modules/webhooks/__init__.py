"""Webhooks: an organisation's addresses are told of its events, signed, again until they listen.

Other modules need nothing of this: a public event they announce is delivered. Listen to `events.WebhookDisabled` to
tell people that an endpoint was given up.
"""
