limit_request_field_size = 0
permit_missing_host = True
