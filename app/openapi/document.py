"""The OpenAPI document: generated from the routes, committed, and compared by a check."""

from fastapi import FastAPI


def describe(app: FastAPI) -> None:
    """Gives the application its title and makes `app.openapi()` the finished document."""
    app.title = "No Wrong Door"
