header_map = 'dangerous'
permit_missing_host = True
