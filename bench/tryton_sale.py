"""A sale of many lines in Tryton, saved, quoted and confirmed: the peer of a quote's way from draft to order.

A process of its own: `python -m bench.tryton_sale LINES…` prints the seconds of each, as JSON. Tryton keeps its
database in memory here, which costs it no disk.
"""

from __future__ import annotations

import importlib
import json
import logging
import sys
import time
import warnings
from datetime import date
from decimal import Decimal
from typing import Any

LIST_PRICE = Decimal("412.50")


def prepare() -> tuple[str, dict[str, int]]:
    """Make a company with a chart of accounts, a customer and a product; return the database and their ids."""
    config = importlib.import_module("trytond.config")
    getattr(config, "config", config).set("database", "uri", "sqlite://")
    activate = importlib.import_module("trytond.tests.tools").activate_modules
    company_tools = importlib.import_module("trytond.modules.company.tests.tools")
    account_tools = importlib.import_module("trytond.modules.account.tests.tools")
    model = importlib.import_module("proteus").Model
    database = str(activate("sale").database_name)
    company_tools.create_company()
    company = company_tools.get_company()
    account_tools.create_chart(company)
    accounts = account_tools.get_accounts(company)
    customer = model.get("party.party")(name="Dealer")
    customer.save()
    category = model.get("product.category")(name="Light sources", accounting=True)
    category.account_expense, category.account_revenue = accounts["expense"], accounts["revenue"]
    category.save()
    (unit,) = model.get("product.uom").find([("name", "=", "Unit")])
    template = model.get("product.template")(name="Downlight", default_uom=unit, type="goods")
    template.salable, template.list_price, template.account_category = True, LIST_PRICE, category
    template.save()
    (product,) = template.products
    return database, {
        "company": company.id,
        "currency": company.currency.id,
        "customer": customer.id,
        "product": product.id,
        "unit": unit.id,
    }


def sell(database: str, ids: dict[str, int], count: int) -> float:
    """Save a sale of so many lines, quote it, confirm it; return the seconds."""
    transaction = importlib.import_module("trytond.transaction").Transaction
    pool = importlib.import_module("trytond.pool").Pool(database)
    with transaction().start(database, 1, context={"company": ids["company"]}) as started:
        sales, lines = pool.get("sale.sale"), pool.get("sale.line")
        product = pool.get("product.product")(ids["product"])
        begun = time.perf_counter()
        sale: Any = sales(
            company=ids["company"],
            party=pool.get("party.party")(ids["customer"]),
            currency=ids["currency"],
            sale_date=date(2026, 5, 4),
            invoice_method="manual",
            shipment_method="manual",
        )
        sale.on_change_party()
        sale.lines = [
            lines(type="line", product=product, quantity=2, unit=ids["unit"], unit_price=LIST_PRICE)
            for _ in range(count)
        ]
        sale.save()
        sales.quote([sale])
        sales.confirm([sale])
        started.commit()
        taken = time.perf_counter() - begun
        if sale.state != "confirmed" or sale.total_amount != 2 * count * LIST_PRICE:
            raise RuntimeError(f"the sale is {sale.state} with {sale.total_amount}")
    return taken


def main() -> None:
    """Sell as often as lines are named, after one sale that does not count."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    database, ids = prepare()
    sell(database, ids, 10)
    print(json.dumps([sell(database, ids, int(count)) for count in sys.argv[1:]]))  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
