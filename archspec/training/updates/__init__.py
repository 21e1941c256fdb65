"""What a spec's ``train`` section says, as a model that Keras trains: its forward graph, its terms, its updates."""
