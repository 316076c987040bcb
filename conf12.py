limit_request_field_size = 14
permit_obsolete_folding = True
permit_missing_host = True
