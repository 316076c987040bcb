proxy_protocol = 'auto'
permit_missing_host = True
