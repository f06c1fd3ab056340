"""Graphs built with experts: language models, people, and simulated ones; every arrow has a receipt."""

from causalkit.llm_causal._builder import GraphBuilder
from causalkit.llm_causal._chat import ChatExpert
from causalkit.llm_causal._claims import Applied, Claim, KnowledgeBase, claims_of
from causalkit.llm_causal._exam import ExamResult, grade, orientation_accuracy
from causalkit.llm_causal._ledger import Budget, Ledger
from causalkit.llm_causal._local_expert import LocalExpert
from causalkit.llm_causal._oracle_expert import ExpertNoise, OracleExpert
from causalkit.llm_causal._posterior import ClassPosterior
from causalkit.llm_causal._prompted import CallableExpert, from_callable
from causalkit.llm_causal._prompts import Debiasing
from causalkit.llm_causal._questions import Answer, Expert, Proposal, Question, Usage
from causalkit.llm_causal._reliability import Reliability
from causalkit.llm_causal._result import BuildResult, Conflict, OpenQuestions
from causalkit.llm_causal._robustness import (
    RobustnessCard,
    RobustnessRow,
    leave_one_source_out,
    robustness_card,
)
from causalkit.llm_causal._sheets import HumanExpert, claims_of_graph, read_review_sheet
from causalkit.llm_causal._strategies import Votes, count_votes, questions_for
from causalkit.llm_causal._suggestions import Suggestion, suggest_variables
from causalkit.llm_causal._transcript import ReplayExpert, Transcript
from causalkit.llm_causal._variables import Variable, as_variables, read_variables

__all__ = [
    "Answer",
    "Applied",
    "Budget",
    "BuildResult",
    "CallableExpert",
    "ChatExpert",
    "Claim",
    "ClassPosterior",
    "Conflict",
    "Debiasing",
    "ExamResult",
    "Expert",
    "ExpertNoise",
    "GraphBuilder",
    "HumanExpert",
    "KnowledgeBase",
    "Ledger",
    "LocalExpert",
    "OpenQuestions",
    "OracleExpert",
    "Proposal",
    "Question",
    "Reliability",
    "ReplayExpert",
    "RobustnessCard",
    "RobustnessRow",
    "Suggestion",
    "Transcript",
    "Usage",
    "Variable",
    "Votes",
    "as_variables",
    "claims_of",
    "claims_of_graph",
    "count_votes",
    "from_callable",
    "grade",
    "leave_one_source_out",
    "orientation_accuracy",
    "questions_for",
    "read_review_sheet",
    "read_variables",
    "robustness_card",
    "suggest_variables",
]
