"""What stands before every call of a provider: the connection's gate, behind it its request budget.

Not here: what they decide (`gating`, `budgeting`), which stores they use (`wiring`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentruns.ports import BudgetStore, Clock, GateStore
    from agentruns.provider_ports import LeapApi, LeenaApi


def guarded_leena(api: LeenaApi, gates: GateStore, budgets: BudgetStore, clock: Clock) -> LeenaApi:
    from agentruns.budgeting import BudgetedLeenaApi, RequestBudget
    from agentruns.gated_leena import GatedLeenaApi
    from agentruns.gating import ConnectionGate

    budgeted = BudgetedLeenaApi(api, RequestBudget(budgets=budgets, clock=clock))
    return GatedLeenaApi(budgeted, ConnectionGate(gates=gates, clock=clock), clock)


def guarded_leap(api: LeapApi, gates: GateStore, budgets: BudgetStore, clock: Clock) -> LeapApi:
    from agentruns.budgeted_leap import BudgetedLeapApi
    from agentruns.budgeting import RequestBudget
    from agentruns.gated_leap import GatedLeapApi
    from agentruns.gating import ConnectionGate

    budgeted = BudgetedLeapApi(api, RequestBudget(budgets=budgets, clock=clock))
    return GatedLeapApi(budgeted, ConnectionGate(gates=gates, clock=clock))
