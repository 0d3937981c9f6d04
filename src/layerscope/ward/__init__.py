"""A ward round: charts of trained nets, most of them sick, for a learner to say what they have."""
