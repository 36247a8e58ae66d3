"""What a training run was asked to do, as frozen values. Never imports TensorFlow."""
