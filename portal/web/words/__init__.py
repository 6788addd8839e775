"""Words for the check page: names of countries, and what a reading is not sure of. Knows no other room of pages."""
