"""`/v1/skills`: what agents can read up on. Which agent may read which is the agent's setting."""

from __future__ import annotations

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router

from agentruns.agent_errors import SkillNotFound
from agentruns.api.access import require_name, tenant_of
from agentruns.api.routes.parameters import NewName, new_router, no_content
from agentruns.api.schemas.skills import SkillAnswer, SkillBody, SkillsAnswer, SkillSummaryAnswer
from agentruns.api.services import ApiServices
from agentruns.operator_keys import Scope

_TAGS = ["skills"]


def skill_routes(services: ApiServices) -> Router:
    router = new_router()

    @router.put("/skills/<name>", summary="Create or replace a skill", tags=_TAGS)
    def put_skill(name: NewName, body: SkillBody) -> SkillAnswer:
        tenant = tenant_of(router, Scope.ADMIN)
        references = [each.reference() for each in body.references]
        stored = services.store_skill(tenant, name, body.content, references)
        return SkillAnswer.of_skill(stored)

    @router.get("/skills", summary="List the skills", tags=_TAGS)
    def list_skills() -> SkillsAnswer:
        summaries = services.skills.list(tenant_of(router, Scope.READ))
        return SkillsAnswer(items=[SkillSummaryAnswer.of(each) for each in summaries])

    @router.get("/skills/<name>", summary="Read a skill", tags=_TAGS)
    def get_skill(name: str) -> SkillAnswer:
        tenant = tenant_of(router, Scope.READ)
        return SkillAnswer.of_skill(services.skills.get(tenant, require_name(name, SkillNotFound)))

    @router.delete("/skills/<name>", summary="Delete a skill", tags=_TAGS)
    def delete_skill(name: str) -> Response[str]:
        tenant = tenant_of(router, Scope.ADMIN)
        services.delete_skill(tenant, require_name(name, SkillNotFound))
        return no_content()

    return router
