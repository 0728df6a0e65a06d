"""Commands of the ground floor."""
import click
from flask.cli import AppGroup
admin_cli = AppGroup("admin")
@click.command("routes-stub")
def routes_command(): ...
