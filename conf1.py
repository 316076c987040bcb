limit_request_field_size = 8210
limit_request_line = 8200
permit_missing_host = True
