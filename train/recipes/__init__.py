"""What a training was asked to do, as frozen values. Never imports TensorFlow."""
