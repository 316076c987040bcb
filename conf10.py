limit_request_fields = 2
permit_missing_host = True
