"""The way of the data, joined: what a developer asks for in one step crosses the rooms here, and only here."""
