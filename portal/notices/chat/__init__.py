"""The administrators' chats, through Apprise."""
