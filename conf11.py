limit_request_field_size = 98
permit_missing_host = True
