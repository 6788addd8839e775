"""What pages say of a new list that is compared with an earlier one. `files.earlier_list` has the pages."""
