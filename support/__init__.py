"""Support: offers, agreements, visits, service calls and their clocks."""
