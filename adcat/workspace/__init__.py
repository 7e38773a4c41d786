"""The folder that a pipeline lives in: artifacts that are whole and current, or refused."""
