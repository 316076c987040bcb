strip_header_spaces = True
permit_missing_host = True
