limit_request_field_size = 8210
permit_missing_host = True
