"""Addresses of the strategies app, below ``/api/``."""

from arbplatform.api.routes import route
from strategies.api import dust_views, engine_views, limits_views, risk_views, scan_views, views

urlpatterns = [
    route("strategies", views.StrategyListView.as_view(), name="strategies"),
    route("strategies/types", views.TypeListView.as_view(), name="strategy-types"),
    route("strategies/<int:pk>", views.StrategyView.as_view(), name="strategy"),
    route("strategies/<int:pk>/start", views.StartView.as_view(), name="strategy-start"),
    route("strategies/<int:pk>/stop", views.StopView.as_view(), name="strategy-stop"),
    route("strategies/<int:pk>/pnl", views.PnlView.as_view(), name="strategy-pnl"),
    route("runs", views.RunListView.as_view(), name="runs"),
    route("opportunities", views.OpportunityListView.as_view(), name="opportunities"),
    route("opportunities/<int:pk>", views.OpportunityView.as_view(), name="opportunity"),
    route("scanner", scan_views.ScanView.as_view(), name="scanner"),
    route("engines", engine_views.EngineListView.as_view(), name="engines"),
    route("executions", views.ExecutionListView.as_view(), name="executions"),
    route("executions/<int:pk>", views.ExecutionView.as_view(), name="execution"),
    route(
        "executions/<int:pk>/acknowledge",
        views.AcknowledgeView.as_view(),
        name="execution-acknowledge",
    ),
    route("dust", dust_views.DustView.as_view(), name="dust"),
    route("risk", risk_views.RiskView.as_view(), name="risk"),
    route("risk/kill", risk_views.KillView.as_view(), name="risk-kill"),
    route("risk/flatten", risk_views.FlattenView.as_view(), name="risk-flatten"),
    route("risk/limits", limits_views.DefaultLimitsView.as_view(), name="risk-limits"),
    route(
        "risk/limits/strategies/<int:pk>",
        limits_views.StrategyLimitsView.as_view(),
        name="risk-limits-strategy",
    ),
    route("risk/resume", risk_views.ResumeView.as_view(), name="risk-resume"),
]
