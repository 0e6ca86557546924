"""A model server that speaks TensorFlow Serving's REST and gRPC interfaces, for any SavedModel."""
