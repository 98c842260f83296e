"""How often an address may knock here. Each operation and page that is open to anybody names one of them.

What is counted for a mailbox, a number or an account, whoever asks, is in `counters.py`.
"""

from nexuscore.kernel.limits import Limit

REGISTER = Limit("register", "20/h", per="address")
MAILS = Limit("asked_mails", "60/h", per="address")
CODES = Limit("codes", "10/min", per="address")
PASSKEYS = Limit("asked_passkeys", "10/min", per="address")
PHONES = Limit("asked_phone_codes", "5/h", per="address")
PROVIDERS = Limit("providers", "60/h", per="address")
METER = Limit("password_meter", "60/min", per="address")
UNLOCK = Limit("unlock", "5/15min", per="person")
UNLOCK_FROM = Limit("unlock_from", "5/15min", per="address")
