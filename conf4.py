casefold_http_method = True
permit_unconventional_http_method = True
permit_missing_host = True
