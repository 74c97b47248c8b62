"""Pages that tell what was trained, measured and answered: each one HTML file that needs nothing else.

The page of a labelled folder, which may be large, has a folder of rows beside it.

Whoever scores answers needs only :class:`ScoredAnswer`: matplotlib and jinja2 are loaded by the first page.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from avpipe.report.answers import ScoredAnswer, told_groups

if TYPE_CHECKING:
    from avpipe.report.contact_sheet import write_contact_sheet
    from avpipe.report.cross_validation import CrossValidationReport, FoldRow, write_cross_validation_report
    from avpipe.report.denoising import write_denoise_report
    from avpipe.report.exhibits import explained
    from avpipe.report.layers import write_layer_picture
    from avpipe.report.leakage import LeakageReport, write_leakage_report
    from avpipe.report.predictions import located, write_prediction_report
    from avpipe.report.scores import EvaluationReport, TrainingReport, write_evaluation_report, write_training_report
    from avpipe.report.shares import write_shares_picture
    from avpipe.report.sketch import Sketch, Thumbnail
    from avpipe.report.sweep import SweepReport, write_sweep_report

__all__ = [
    "CrossValidationReport",
    "EvaluationReport",
    "FoldRow",
    "LeakageReport",
    "ScoredAnswer",
    "Sketch",
    "SweepReport",
    "Thumbnail",
    "TrainingReport",
    "explained",
    "located",
    "told_groups",
    "write_contact_sheet",
    "write_cross_validation_report",
    "write_denoise_report",
    "write_evaluation_report",
    "write_layer_picture",
    "write_leakage_report",
    "write_prediction_report",
    "write_shares_picture",
    "write_sweep_report",
    "write_training_report",
]

_PAGES = {
    "contact_sheet": ("write_contact_sheet",),
    "cross_validation": ("CrossValidationReport", "FoldRow", "write_cross_validation_report"),
    "denoising": ("write_denoise_report",),
    "exhibits": ("explained",),
    "layers": ("write_layer_picture",),
    "leakage": ("LeakageReport", "write_leakage_report"),
    "predictions": ("located", "write_prediction_report"),
    "scores": ("EvaluationReport", "TrainingReport", "write_evaluation_report", "write_training_report"),
    "shares": ("write_shares_picture",),
    "sketch": ("Sketch", "Thumbnail"),
    "sweep": ("SweepReport", "write_sweep_report"),
}


def __getattr__(name: str) -> Any:
    for page, names in _PAGES.items():
        if name in names:
            return getattr(import_module(f"avpipe.report.{page}"), name)
    raise AttributeError(f"module 'avpipe.report' has no attribute {name!r}")
