limit_request_field_size = 10
permit_missing_host = True
