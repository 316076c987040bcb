forwarded_allow_ips = '*'
permit_missing_host = True
