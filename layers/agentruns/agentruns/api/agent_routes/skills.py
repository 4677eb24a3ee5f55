"""`/agent/v1/skills`: what the agent of a run may read up on."""

from __future__ import annotations

from aws_lambda_powertools.event_handler.api_gateway import Router

from agentruns.agent_errors import SkillNotFound
from agentruns.api.access import require_name
from agentruns.api.agent_routes.callers import task_caller
from agentruns.api.agent_schemas.skills import ManifestAnswer, SkillAnswer
from agentruns.api.agent_services import AgentServices
from agentruns.api.routes.parameters import new_router

_TAGS = ["skills"]


def skill_routes(services: AgentServices) -> Router:
    router = new_router()

    @router.get("/skills/<agent_role>", summary="List the agent's skills", tags=_TAGS)
    def get_manifest(agent_role: str) -> ManifestAnswer:
        agent = services.agent_of_run(task_caller(router), agent_role)
        return ManifestAnswer.of(services.skills_of_agent.manifest(agent))

    @router.get("/skills/<agent_role>/<skill_name>", summary="Read a skill", tags=_TAGS)
    def get_skill(agent_role: str, skill_name: str) -> SkillAnswer:
        agent = services.agent_of_run(task_caller(router), agent_role)
        name = require_name(skill_name, SkillNotFound)
        return SkillAnswer.of(services.skills_of_agent.read(agent, name))

    return router
