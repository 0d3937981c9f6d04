"""The experiment: names, a deep MLP, init schemes, a LightningModule. Knows no instrument."""
