"""The rooms: one folder per capability, the same file names in every one."""
