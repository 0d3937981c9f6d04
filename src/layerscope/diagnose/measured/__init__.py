"""What a run measured, as rules read it: figures, what part each layer plays, the loss curve."""
