blueprint = None
