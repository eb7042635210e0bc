"""The way out to people and other watchers: messages by Apprise, and the call that says that the watch lives."""
