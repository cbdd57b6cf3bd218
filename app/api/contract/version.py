"""The version of the service, as the contract and the capability statement say it."""

VERSION = "0.2.0"
