"""The ground every module stands on. It knows no capability by name."""
