"""Ports against the specification: golden vectors, and a runner that says where a port leaves them.

`catok verify` is its command line, `docs/verify.md` its description.
"""

from typing import TYPE_CHECKING

from catok.lazy import lazy_names

if TYPE_CHECKING:
    from catok.conformance.command import CommandPort
    from catok.conformance.judging import Limits, NotOffered
    from catok.conformance.kit import Variant, load_kit, make_kit
    from catok.conformance.page import as_page
    from catok.conformance.ports import ClassPort
    from catok.conformance.reference import ReferenceTokenizer
    from catok.conformance.report import as_data, as_text
    from catok.conformance.runner import Report, verify
    from catok.conformance.targets import model_variant, port_named

__all__ = [
    "ClassPort",
    "CommandPort",
    "Limits",
    "NotOffered",
    "ReferenceTokenizer",
    "Report",
    "Variant",
    "as_data",
    "as_page",
    "as_text",
    "load_kit",
    "make_kit",
    "model_variant",
    "port_named",
    "verify",
]

__getattr__, __dir__ = lazy_names(
    "catok.conformance",
    {
        "ClassPort": "catok.conformance.ports",
        "CommandPort": "catok.conformance.command",
        "Limits": "catok.conformance.judging",
        "NotOffered": "catok.conformance.judging",
        "ReferenceTokenizer": "catok.conformance.reference",
        "Report": "catok.conformance.runner",
        "Variant": "catok.conformance.kit",
        "as_data": "catok.conformance.report",
        "as_page": "catok.conformance.page",
        "as_text": "catok.conformance.report",
        "load_kit": "catok.conformance.kit",
        "make_kit": "catok.conformance.kit",
        "model_variant": "catok.conformance.targets",
        "port_named": "catok.conformance.targets",
        "verify": "catok.conformance.runner",
    },
)
