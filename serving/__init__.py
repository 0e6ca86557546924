"""A model server that speaks TensorFlow Serving's REST interface, for any SavedModel."""
