"""What the contract leaves open: any JSON object."""

from typing import Any, Dict

JsonObject = Dict[str, Any]
