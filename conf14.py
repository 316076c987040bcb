header_map = 'refuse'
permit_missing_host = True
