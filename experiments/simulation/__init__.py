"""A simulated school: seeded learners, teachers and resources that make logs in bulk or over HTTP."""
