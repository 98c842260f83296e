"""Who takes mail from us: SMTP servers, Resend, SendGrid, and the local outbox."""
