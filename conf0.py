permit_missing_host = True
