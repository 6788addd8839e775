"""What tests share: an application with its own database, its cast, jobs to act on, and real servers."""
