"""The composition root: settings, processes, addresses. Imports anything; nothing imports it."""
