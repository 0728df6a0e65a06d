from flask.cli import AppGroup
prices_cli = AppGroup("prices")
