"""What tests share: building an application on a database of its own, its cast, and jobs to act on."""
