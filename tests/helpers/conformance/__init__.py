"""What tensorflow_model_server answers, by its public documentation and protocol definitions.

References: TensorFlow Serving, g3doc/api_rest.md, apis/*.proto, and the messages of
model_servers/http_rest_api_util.cc, util/json_tensor.cc, servables/tensorflow/*.cc.
"""

from tests.helpers.conformance.errors import ERRORS
from tests.helpers.conformance.examples import EXAMPLES
from tests.helpers.conformance.predict import PREDICT
from tests.helpers.conformance.status import STATUS
from tests.helpers.conformance.stubs import GRPC

__all__ = ["GRPC", "REST"]

# (method, path, body, answer): an answer is JSON for 200, else a status and a part of the message.
REST = PREDICT + EXAMPLES + ERRORS + STATUS
