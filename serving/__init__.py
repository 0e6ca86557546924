"""A model server that speaks TensorFlow Serving's REST and gRPC interfaces, for any SavedModel."""

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8501
