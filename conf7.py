permit_obsolete_folding = True
permit_missing_host = True
