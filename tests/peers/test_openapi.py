"""The HTTP contract is OpenAPI 3.1 by its own validator."""
from openapi_spec_validator import validate
from openapi_spec_validator.readers import read_from_filename

spec, _ = read_from_filename("src/server/api/openapi.yaml")
assert spec["openapi"].startswith("3.1")
validate(spec)
print(f"openapi: {len(spec['paths'])} paths are valid")
